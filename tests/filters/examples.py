"""Every filter at a usual value: a new one joins the tests of what all promise by one line."""

from functools import partial

import softdraw as sd

EXAMPLES = {
    "top_k": partial(sd.filters.top_k, k=2),
    "top_p": partial(sd.filters.top_p, p=0.7),
    "min_p": partial(sd.filters.min_p, p=0.3),
    "typical": partial(sd.filters.typical, mass=0.6),
}
#: what the parameter is called, values over its range, and Hugging Face's processor with its own name for it
PARAMETERS = {
    "top_k": ("k", (1, 2, 5, 1000), "TopKLogitsWarper", "top_k"),
    "top_p": ("p", (0.0, 0.1, 0.5, 0.7, 0.9, 0.999, 1.0), "TopPLogitsWarper", "top_p"),
    "min_p": ("p", (0.0, 0.05, 0.5, 1.0), "MinPLogitsWarper", "min_p"),
    "typical": ("mass", (1e-6, 0.1, 0.5, 0.9, 0.999), "TypicalLogitsWarper", "mass"),
}
