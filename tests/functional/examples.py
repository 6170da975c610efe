"""One example of every function that draws: a new one joins the tests of what all promise by one line."""

import softdraw as sd

EXAMPLES = {
    "gumbel_softmax": lambda logits, **kw: sd.gumbel_softmax(logits, 0.7, **kw),
    "gumbel_softmax hard": lambda logits, **kw: sd.gumbel_softmax(logits, 0.7, True, **kw),
    "gumbel_max": sd.gumbel_max,
    "gumbel_sigmoid": lambda logits, **kw: sd.gumbel_sigmoid(logits, 0.7, **kw),
    "gumbel_sigmoid hard": lambda logits, **kw: sd.gumbel_sigmoid(logits, 0.7, True, **kw),
}
RELAXED = [name for name in EXAMPLES if name != "gumbel_max"]
