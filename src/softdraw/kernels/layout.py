"""Which bits belong to which element: the published layout of the counter, version 1.

Philox-4x32-10 (Salmon, Moraes, Dror, Shaw, SC 2011) maps a key of two 32-bit words and a counter of four to
four 32-bit words. For class ``c`` in row ``r`` of sample ``s`` under ``Key(seed, offset)``:

* key: the low and the high word of ``seed``;
* counter: ``(c >> 2, low word of (offset + r), high word of (offset + r), s)``;
* the high word of the element's uniform is word ``c & 3`` of the result;
* the low word of the uniform is word ``c & 3`` of the result at the counter ``(c >> 2) | 2^31`` in its first
  word.

Let ``U`` be the 64-bit number of both words. ``U >= 2^63`` is the upper side; there, both words are
complemented ("the distance to the nearer end"), giving a high word ``m < 2^31`` and a low word ``n``. The
probability of the nearer tail is::

    float32:  p = (m + 1/2) / 2^32                       for m >= 2^16
              p = m / 2^32 + (n + 1/2) / 2^64            for m <  2^16
    float64:  p = m / 2^32 + (n + 1/2) / 2^64

and the uniform is ``u = p`` on the lower side and ``1 - p`` on the upper. In float32 the low word is
therefore computed for one element in 32,768, and yet ``p`` goes down to 2^-65. The noise is

* exponential: ``E = -log1p(-p)`` on the lower side, ``-log(p)`` on the upper;
* Gumbel: ``G = -log(E)``, at most 45.05;
* logistic: ``L = log(u) - log(1 - u)``, at most 45.05 in size.

float64 noise is the finer rounding of the same 64 bits, so draws in float32 and float64 nearly always agree.
The layout will not change without a new version and a line in the change log.
"""

__all__ = ["LAYOUT_VERSION", "LOW_WORD_FLAG", "MAX_CLASSES", "MAX_SAMPLES", "REFINED_BELOW"]

#: The version of the layout above, which golden values pin.
LAYOUT_VERSION = 1
#: Set in the first counter word for the low words of the uniforms.
LOW_WORD_FLAG = 1 << 31
#: High words nearer than this to an end take their low word into account in float32.
REFINED_BELOW = 1 << 16
#: More classes than this would reach the flag.
MAX_CLASSES = 1 << 33
#: Samples are counted by one 32-bit word.
MAX_SAMPLES = 1 << 32
