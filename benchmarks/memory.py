"""Peak extra memory of a hard forward and backward, in tensors of the logits' size, one process each."""

import subprocess
import sys

__all__ = ["extra_tensors"]

_CHILD = """
import sys, torch, torch.nn.functional as F, softdraw as sd
draw = sd.gumbel_softmax if sys.argv[1] == "softdraw" else F.gumbel_softmax
def peak():
    # VmHWM is of this program alone; ru_maxrss would start at the size of the process that started it.
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))
def run(rows, classes):
    x = torch.randn(rows, classes, requires_grad=True)
    g = torch.randn(rows, classes)
    before = peak()
    y = draw(x, hard=True)
    (grad,) = torch.autograd.grad(y, x, g)
    return (peak() - before) / (4 * rows * classes)
run(64, 1000)
print(run(512, 32000))
"""


def extra_tensors(draw: str) -> float:
    """For ``softdraw`` or ``torch``: growth of the peak resident set at 512 x 32000 float32 (Linux)."""
    child = subprocess.run([sys.executable, "-c", _CHILD, draw], capture_output=True, text=True, check=True)
    return float(child.stdout)
