"""Peak extra memory of a hard forward and backward, in tensors of the logits' size, each in its own process."""

import subprocess
import sys

__all__ = ["extra_tensors"]

_CHILD = """
import resource, sys, torch, torch.nn.functional as F, softdraw as sd
draw = sd.gumbel_softmax if sys.argv[1] == "softdraw" else F.gumbel_softmax
def run(rows, classes):
    x = torch.randn(rows, classes, requires_grad=True)
    g = torch.randn(rows, classes)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    y = draw(x, hard=True)
    (grad,) = torch.autograd.grad(y, x, g)
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 / (4 * rows * classes)
run(64, 1000)
print(run(512, 32000))
"""


def extra_tensors(draw: str) -> float:
    """For ``softdraw`` or ``torch``: the growth of the peak resident set at 512 x 32000 float32."""
    child = subprocess.run([sys.executable, "-c", _CHILD, draw], capture_output=True, text=True, check=True)
    return float(child.stdout)
