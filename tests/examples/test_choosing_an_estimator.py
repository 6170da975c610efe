"""The advised gradient trains to a lower cost than the default."""


def test_the_advised_estimator_ends_lower(ran):
    figures, _, printed = ran("choosing_an_estimator")
    assert figures["least"] < figures["advised"] < 0.8 * figures["default"]
    assert "advised for 800 evaluations of f" in printed
