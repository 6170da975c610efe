"""What is said where a compiled graph meets an error of ours."""

import torch

_VERSION = tuple(int(part) for part in torch.__version__.split(".")[:2])


def in_a_graph(message):
    """The pattern of ``message``; torch 2.8 names the class of the error and not its text."""
    return message if _VERSION >= (2, 13) else r"Observed exception"
