"""Experts specialise, and serve better than one network that does as much work."""


def test_experts_specialise_and_pay(ran):
    figures = ran("mixture_of_experts").figures
    for way in ("midpoint", "probability"):
        assert figures[f"{way}, error"] < 0.3 * figures["one network, error"]
        assert figures[f"{way}, specialised"] > 0.75  # by chance about 0.2
    assert figures["midpoint, specialised"] > 0.95
