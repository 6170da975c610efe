"""A language emerges, and the gradient through the message finds more of it than right and wrong do."""


def test_most_objects_are_understood(ran):
    figures = ran("signalling_game").figures
    assert figures["pathwise"] >= 0.8
    assert figures["pathwise"] > figures["score"] + 0.1
    assert figures["messages"] >= 20  # of 25, so that few objects share one
