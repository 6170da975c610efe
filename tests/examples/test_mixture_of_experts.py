"""Experts specialise and share the load, and serve better than one network that does as much work."""

import torch


def test_experts_specialise_and_pay(ran):
    figures = ran("mixture_of_experts").figures
    for way in ("midpoint", "probability"):
        assert figures[f"{way}, error"] < 0.3 * figures["one network, error"]
        assert figures[f"{way}, specialised"] > 0.75  # by chance about 0.2
        assert 1 / 6 <= figures[f"{way}, busiest"] < 0.5


def test_tokens_are_counted_at_the_expert_that_the_gate_names(example):
    module = example("mixture_of_experts")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = module.Mixture(module.EXPERTS, "probability").eval()
    error, table = module.judge(model)
    regime, mark, x, target = next(module.tokens(module.TESTED, seed=1000))
    expert = model.gate.projection(mark).argmax(-1)
    for (r, e), count in zip(
        torch.cartesian_prod(torch.arange(6), torch.arange(6)), table.flatten(), strict=True
    ):
        assert count == ((regime == r) & (expert == e)).sum()
    # by hand: the value of that expert, times its probability
    share = model.gate.projection(mark).softmax(-1)[range(module.TESTED), expert]
    hidden = (torch.cat((mark, x), 1).unsqueeze(1) @ model.first[expert]).relu()
    value = share.unsqueeze(1) * (hidden @ model.second[expert]).squeeze(1)
    torch.testing.assert_close(error, (value - target).square().mean(), rtol=1e-4, atol=0)


def test_the_one_network_is_as_large_as_an_expert(example):
    module = example("mixture_of_experts")
    one, many = module.Mixture(1, ""), module.Mixture(module.EXPERTS, "midpoint")
    for name in ("first", "second"):
        assert getattr(one, name).numel() * module.EXPERTS == getattr(many, name).numel()
