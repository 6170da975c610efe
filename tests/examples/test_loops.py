"""Three loops, one promise: a run that is stopped and resumed ends with the weights of one that is not."""

import pytest


@pytest.mark.parametrize(
    ("name", "tau", "resumed"),
    [
        ("plain_loop", 0.5, 200),
        ("lightning_loop", 2.718281828**-0.512, 128),
        ("hugging_face_loop", 2.718281828**-0.64, 82),  # the first that is logged after step 80
    ],
)
def test_a_resumed_run_is_the_same_run(name, tau, resumed, ran):
    figures = ran(name).figures
    assert figures["weights apart"] == 0.0
    assert figures["tau apart"] == 0.0
    assert figures["tau"] == pytest.approx(tau, abs=1e-6)
    assert figures["resumed at"] == resumed


def test_without_the_steps_in_the_key_it_would_not_be(example, monkeypatch):
    """What the program says makes it exact, does: with noise of its own the resumed run goes elsewhere."""
    import softdraw as sd

    module = example("plain_loop")
    monkeypatch.setattr(sd.Key, "fold_in", lambda key, step: None)
    monkeypatch.setattr(module, "draw", lambda *rest: None)
    assert module.main([])["weights apart"] > 1e-3
