"""Filters keep what the processors of Hugging Face Transformers keep."""

import warnings

import pytest
import torch

import softdraw as sd

from .examples import PARAMETERS

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")


def _levels(rows, classes, levels):
    return torch.floor(sd.random.uniform((rows, classes), key=sd.Key(classes)) * levels)


def _normal(rows, classes, scale):
    return sd.random.logistic((rows, classes), key=sd.Key(classes)) * scale


def _forbidden(rows, classes):
    logits = _normal(rows, classes, 1.0)
    hole = sd.random.uniform((rows, classes), key=sd.Key(1)) < 0.6
    hole[:, 0] = False
    return logits.masked_fill(hole, -torch.inf)


LOGITS = {
    "usual": _normal(200, 50, 1.0),
    "a vocabulary": _normal(8, 32000, 1.5),
    "flat": _normal(200, 100, 0.01),
    "steep": _normal(200, 100, 30.0),
    "far from 0": _normal(50, 20, 1.0) + 1e4,
    "forbidden": _forbidden(200, 30),
    "one class": torch.tensor([[0.0], [5.0], [-3e38]]),
    "two classes": _normal(100, 2, 1.0),
    "one allowed": torch.tensor([[-torch.inf, 1.0, -torch.inf]]),
    "largest numbers": torch.tensor([[3e38, -3e38, 0.0, 1.0], [-3e38, -3e38, -3e38, 3e38]]),
    "underflow": torch.tensor([[0.0, -200.0, -300.0, -1.0], [0.0, -1e5, -103.0, -104.5]]),
}
TIES = {
    "two levels": _levels(200, 20, 2),
    "four levels": _levels(200, 64, 4),
    "ten equal": torch.zeros(1, 10),
    "many equal": torch.full((2, 3000), -7.25),
    "ties among the forbidden": _levels(100, 30, 3).masked_fill(_levels(100, 30, 2) > 0, -torch.inf),
}


def both(name, value, logits, least):
    argument, _, processor, theirs = PARAMETERS[name]
    ours = getattr(sd.filters, name)(logits, **{argument: value}, min_tokens_to_keep=least)
    warper = getattr(transformers, processor)(**{theirs: value}, min_tokens_to_keep=least)
    return ours, warper(None, logits.clone()) > -torch.inf


CASES = [(name, value) for name, (_, values, *_) in PARAMETERS.items() for value in values]


@pytest.mark.parametrize("case", LOGITS)
@pytest.mark.parametrize(("name", "value"), CASES)
@pytest.mark.parametrize("least", [1, 4])
def test_the_same_tokens(name, value, case, least):
    if (name, case, least) == ("min_p", "steep", 4):
        pytest.skip("of tokens of probability 0 in float32 theirs fills up with any, ours with the likeliest")
    ours, theirs = both(name, value, LOGITS[case], min(least, LOGITS[case].shape[-1]))
    assert torch.equal(ours, theirs)


@pytest.mark.parametrize("case", TIES)
@pytest.mark.parametrize(("name", "value"), CASES)
@pytest.mark.parametrize("least", [1, 4])
def test_the_same_logits_of_equal_ones(name, value, case, least):
    """Which of equal tokens theirs keeps is up to an unstable sort: how many of each value is not."""
    logits = TIES[case]
    ours, theirs = both(name, value, logits, least)
    kept = [logits.masked_fill(~mask, -torch.inf).sort(-1).values for mask in (ours, theirs)]
    assert torch.equal(*kept)
    if name == "top_k" or (least == 1 and name != "top_p"):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize(("name", "value"), CASES)
def test_half_precision_as_generate_hands_it_on(name, value, dtype):
    """``generate`` makes float32 of half logits before any processor."""
    logits = LOGITS["usual"].to(dtype)
    argument = PARAMETERS[name][0]
    _, theirs = both(name, value, logits.float(), 1)
    ours = getattr(sd.filters, name)(logits, **{argument: value})
    values = [logits.float().masked_fill(~mask, -torch.inf).sort(-1).values for mask in (ours, theirs)]
    assert torch.equal(*values)
