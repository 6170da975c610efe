"""One example of every function that draws: a new one joins the tests of what all promise by one line."""

import softdraw as sd

EXAMPLES = {
    "gumbel_softmax": lambda logits, **kw: sd.gumbel_softmax(logits, 0.7, **kw),
    "gumbel_softmax hard": lambda logits, **kw: sd.gumbel_softmax(logits, 0.7, True, **kw),
    "gumbel_max": sd.gumbel_max,
    "gumbel_sigmoid": lambda logits, **kw: sd.gumbel_sigmoid(logits, 0.7, **kw),
    "gumbel_sigmoid hard": lambda logits, **kw: sd.gumbel_sigmoid(logits, 0.7, True, **kw),
    "gumbel_top_k": lambda logits, **kw: sd.gumbel_top_k(logits, 2, **kw),
    "gumbel_top_k 1": lambda logits, **kw: sd.gumbel_top_k(logits, 1, **kw),
    "relaxed_top_k": lambda logits, **kw: sd.relaxed_top_k(logits, 2, 0.7, **kw),
    "relaxed_top_k hard": lambda logits, **kw: sd.relaxed_top_k(logits, 2, 0.7, True, **kw),
    "relaxed_top_k successive": lambda logits, **kw: sd.relaxed_top_k(
        logits, 2, 0.7, method="successive", **kw
    ),
    "relaxed_top_k sparse": lambda logits, **kw: sd.relaxed_top_k(logits, 2, 0.7, method="sparse", **kw),
}
INDICES = ("gumbel_max", "gumbel_top_k", "gumbel_top_k 1")
RELAXED = [name for name in EXAMPLES if name not in INDICES]
