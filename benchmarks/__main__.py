"""`python -m benchmarks` prints one table: peers timed beside us, medians of interleaved repeats."""

import argparse
import sys

import torch

from benchmarks import estimators, gumbel_max, gumbel_softmax
from benchmarks.comparison import HEADER
from benchmarks.memory import extra_tensors
from softdraw import kernels


def main() -> None:
    """Print the table, with the bars that are asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--seconds", type=float, default=2.0, help="time for each comparison (2)")
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--threads", type=int, help="threads of torch and of softdraw (torch's default)")
    parser.add_argument("--no-grid", action="store_true", help="leave out the grid of shapes and dtypes")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    print(f"torch {torch.__version__}, {kernels.backend(options.device)}, {torch.get_num_threads()} threads")
    print(HEADER)
    for row in gumbel_softmax.rows(options.seconds, options.device):
        print(row, flush=True)
    for row in gumbel_max.rows(options.seconds, options.device):
        print(row, flush=True)
    if options.device == "cpu":
        for row in estimators.rows(options.seconds):
            print(row, flush=True)
    if not options.no_grid:
        for row in gumbel_softmax.grid(min(options.seconds, 0.3), options.device):
            print(row, flush=True)
    if options.device == "cpu" and sys.platform == "linux":
        print(
            "peak extra memory, hard forward+backward at 512x32000, in tensors of the logits' size (bar: 2):"
        )
        print(f"  softdraw {extra_tensors('softdraw'):.2f}, F.gumbel_softmax {extra_tensors('torch'):.2f}")


if __name__ == "__main__":
    main()
