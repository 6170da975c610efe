"""Tokens of ``generate`` with a key for each request: the same text whatever the batch."""

import warnings
from functools import partial

import pytest
import torch

import softdraw as sd

from ..statistics import assert_frequencies

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    from softdraw.integrations.transformers import KeyedSampler

pytestmark = pytest.mark.filterwarnings("ignore")

PAD, VOCABULARY = 0, 40
PROMPTS = [[5, 9, 11], [7], [3, 3, 8, 21, 30, 2], [12, 4]]
KEYS = [sd.Key(11).fold_in(request) for request in range(len(PROMPTS))]


@pytest.fixture(scope="module", params=["gpt2", "llama"])
def model(request):
    shape = {"vocab_size": VOCABULARY, "bos_token_id": 1, "eos_token_id": None, "pad_token_id": PAD}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        if request.param == "gpt2":
            config = transformers.GPT2Config(n_embd=16, n_layer=2, n_head=2, n_positions=64, **shape)
            made = transformers.GPT2LMHeadModel(config)
        else:
            config = transformers.LlamaConfig(
                hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2, **shape
            )
            made = transformers.LlamaForCausalLM(config)
        for weight in made.parameters():
            weight.data.mul_(4)  # a random model of small weights hardly reads its prompt
    return made.eval()


def batch(prompts, width=None):
    """Prompts padded on the left."""
    width = width or max(map(len, prompts))
    ids = torch.tensor([[PAD] * (width - len(one)) + one for one in prompts])
    mask = torch.tensor([[0] * (width - len(one)) + [1] * len(one) for one in prompts])
    return {"input_ids": ids, "attention_mask": mask}


def generate(model, prompts, sampler, new=12, width=None, **options):
    given = batch(prompts, width)
    options = {"do_sample": False, "max_new_tokens": new, **options}
    out = model.generate(**given, logits_processor=[sampler], **options)
    return out[:, given["input_ids"].shape[1] :].tolist()


FILTERS = [partial(sd.filters.top_k, k=20), partial(sd.filters.top_p, p=0.8)]


@pytest.mark.parametrize("options", [{}, {"tau": 0.7, "filters": FILTERS}], ids=["plain", "filtered"])
def test_the_same_text_for_the_same_key(model, options):
    alone = [
        generate(model, [prompt], KeyedSampler([key], **options))[0]
        for prompt, key in zip(PROMPTS, KEYS, strict=True)
    ]
    assert len({tuple(text) for text in alone}) == len(alone)
    for order in ([0, 1, 2, 3], [3, 1, 0, 2], [2, 1], [1, 3, 3, 3, 0]):
        for width in (None, 11):
            sampler = KeyedSampler([KEYS[i] for i in order], **options)
            texts = generate(model, [PROMPTS[i] for i in order], sampler, width=width)
            assert texts == [alone[i] for i in order]
    again = generate(model, [PROMPTS[0]], KeyedSampler([KEYS[1]], **options))[0]
    assert again != alone[0]


def test_the_first_tokens_of_a_longer_text(model):
    short, long = (generate(model, PROMPTS, KeyedSampler(KEYS), new=new) for new in (4, 9))
    assert [text[:4] for text in long] == short


def test_a_sequence_that_has_ended_leaves_the_others_alone(model):
    free = generate(model, PROMPTS, KeyedSampler(KEYS))
    end = free[1][2]
    texts = generate(model, PROMPTS, KeyedSampler(KEYS), eos_token_id=end)
    for text, whole in zip(texts, free, strict=True):
        stop = whole.index(end) + 1 if end in whole else len(whole)
        assert text[:stop] == whole[:stop]
        assert set(text[stop:]) <= {PAD}


def test_the_tokens_are_those_of_gumbel_max(model):
    """A text is the rows of one stream of noise, which can be drawn again outside ``generate``."""
    text = generate(model, [PROMPTS[2]], KeyedSampler([KEYS[2]], tau=0.9))[0]
    with torch.no_grad():
        logits = model(torch.tensor([PROMPTS[2] + text[:-1]])).logits[0, len(PROMPTS[2]) - 1 :].float()
    assert sd.gumbel_max(logits / 0.9, key=KEYS[2]).tolist() == text


def test_tokens_follow_the_softmax(model):
    draws, prompt = 4000, PROMPTS[0]
    keys = [sd.Key(5).fold_in(i) for i in range(draws)]
    sampler = KeyedSampler(keys, tau=0.8, filters=FILTERS)
    tokens = torch.tensor(generate(model, [prompt] * draws, sampler, new=2))
    with torch.no_grad():
        first = model(torch.tensor([prompt])).logits[0, -1] / 0.8
    kept = sd.filters.top_p(first, 0.8, mask=sd.filters.top_k(first, 20))
    probs = first.masked_fill(~kept, -torch.inf).softmax(-1)
    assert_frequencies(tokens[:, 0].bincount(minlength=VOCABULARY), probs)
    common = int(probs.argmax())
    with torch.no_grad():
        second = model(torch.tensor([[*prompt, common]])).logits[0, -1] / 0.8
    kept = sd.filters.top_p(second, 0.8, mask=sd.filters.top_k(second, 20))
    after = tokens[tokens[:, 0] == common, 1].bincount(minlength=VOCABULARY)
    assert after.sum() > 200
    assert_frequencies(after, second.masked_fill(~kept, -torch.inf).softmax(-1))


def test_several_texts_of_a_prompt_have_a_key_each(model):
    alone = [generate(model, [PROMPTS[0]], KeyedSampler([key]))[0] for key in KEYS]
    both = [*KEYS, KEYS[1], KEYS[0], KEYS[3], KEYS[2]]
    sampler = KeyedSampler(both)
    texts = generate(model, [PROMPTS[0]] * 2, sampler, num_return_sequences=4, do_sample=True)
    assert texts == [*alone, alone[1], alone[0], alone[3], alone[2]]


def test_processors_before_it_and_sampling_after_it_change_what_they_should(model):
    """Hugging Face's own warpers may stand before it; ``do_sample=True`` has nothing left to choose."""
    ours = generate(model, PROMPTS, KeyedSampler(KEYS, tau=0.7, filters=FILTERS))
    chain = [
        transformers.TemperatureLogitsWarper(0.7),
        transformers.TopKLogitsWarper(20),
        transformers.TopPLogitsWarper(0.8),
        KeyedSampler(KEYS),
    ]
    given = batch(PROMPTS)
    options = {"max_new_tokens": 12, "do_sample": True, "temperature": 3.0, "top_k": 2}
    out = model.generate(**given, logits_processor=chain, **options)
    assert out[:, given["input_ids"].shape[1] :].tolist() == ours


def test_the_options_of_a_config(model):
    config = transformers.GenerationConfig(do_sample=True, temperature=0.7, top_k=20, top_p=0.8)
    ours = generate(model, PROMPTS, KeyedSampler(KEYS, tau=0.7, filters=FILTERS))
    assert generate(model, PROMPTS, KeyedSampler.of_config(KEYS, config)) == ours
    config = transformers.GenerationConfig(do_sample=True, top_k=0, min_p=0.2, typical_p=0.9)
    sampler = KeyedSampler.of_config(KEYS, config)
    assert [one.func for one in sampler.filters] == [sd.filters.min_p, sd.filters.typical]
    assert sampler.tau == 1.0


def test_a_temperature_of_each_sequence(model):
    alone = [
        generate(model, [PROMPTS[i]], KeyedSampler([KEYS[i]], tau=tau))[0] for i, tau in ((0, 0.5), (1, 1.5))
    ]
    both = KeyedSampler(KEYS[:2], tau=torch.tensor([0.5, 1.5]))
    assert generate(model, PROMPTS[:2], both) == alone


def test_what_it_cannot_serve_is_refused(model):
    with pytest.raises(ValueError, match=r"keys: got 4, expected 8, one for each sequence .*no beams"):
        generate(model, PROMPTS, KeyedSampler(KEYS), num_beams=2)
    with pytest.raises(ValueError, match="keys: got 1, expected 4, one for each sequence"):
        generate(model, PROMPTS, KeyedSampler(KEYS[:1]))
    used = KeyedSampler(KEYS)
    generate(model, PROMPTS, used)
    with pytest.raises(ValueError, match=r"input_ids: got other sequences.* a new KeyedSampler"):
        generate(model, PROMPTS, used)
    ids = torch.zeros(2, 3, dtype=torch.int64)
    scores = torch.zeros(2, 5)
    scores[1, 2] = torch.nan
    with pytest.raises(ValueError, match=r"scores: got NaN, .* in row 1, expected one token to draw"):
        KeyedSampler(KEYS[:2])(ids, scores)
    with pytest.raises(ValueError, match=r"scores: got NaN, .+inf or no token in row 0"):
        KeyedSampler(KEYS[:2])(ids, torch.full((2, 5), -torch.inf))


def test_wrong_arguments():
    for keys in (sd.Key(0), [0], None):
        with pytest.raises(TypeError, match=r"keys: got .+, expected a sequence of softdraw\.Key"):
            KeyedSampler(keys)
    with pytest.raises(ValueError, match=r"keys: got \(\), expected one for each sequence"):
        KeyedSampler([])
    for tau in (0, -1.0, float("nan"), torch.tensor([1.0, 0.0, 1.0, 1.0]), torch.ones(3)):
        with pytest.raises(ValueError, match=r"tau: got .+, expected .+"):
            KeyedSampler(KEYS, tau=tau)
    with pytest.raises(TypeError, match="tau: got 'warm', expected a number > 0"):
        KeyedSampler(KEYS, tau="warm")
    for filters in (sd.filters.top_k, [0.9]):
        with pytest.raises(TypeError, match=r"filters: got .+, expected a sequence of functions"):
            KeyedSampler(KEYS, filters=filters)
