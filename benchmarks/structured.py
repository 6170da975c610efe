"""`python -m benchmarks.structured`: structures beside plain PyTorch, in turns in one run."""

import argparse
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

import softdraw as sd
from benchmarks.comparison import HEADER, Row
from benchmarks.interleaved import medians

__all__ = ["rows"]


def plain_log_partition(logits: Tensor, k: int) -> Tensor:
    """Log e_k of exp(logits) by the recursion over items in logarithms, differentiable."""
    row = torch.cat((torch.zeros_like(logits[:, :1]), logits.new_full((len(logits), k), -1e30)), -1)
    for i in range(logits.shape[-1]):
        taken = torch.logaddexp(row[:, 1:], row[:, :-1] + logits[:, i : i + 1])
        row = torch.cat((row[:, :1], taken), -1)
    return row[:, k]


def plain_marginals(logits: Tensor, k: int, graph: bool = False) -> tuple[Tensor, Tensor]:
    """Log partition and marginals by autograd."""
    x = logits if graph else logits.detach().requires_grad_()
    value = plain_log_partition(x, k)
    return value, torch.autograd.grad(value.sum(), x, create_graph=graph)[0]


def plain_top_k(logits: Tensor, k: int) -> Tensor:
    """The k largest of logits and Gumbel noise."""
    return (logits - torch.empty_like(logits).exponential_().log()).topk(k, -1).indices


def plain_successive(x: Tensor, k: int) -> Tensor:
    """The sum of k softmaxes, as published."""
    total, chosen = torch.zeros_like(x), torch.zeros_like(x)
    for _ in range(k):
        x = x + (1 - chosen).clamp(min=1e-20).log()
        chosen = x.softmax(-1)
        total = total + chosen
    return total


def plain_sinkhorn(scores: Tensor) -> Tensor:
    """20 iterations in logarithms on scores with Gumbel noise."""
    x = scores - torch.empty_like(scores).exponential_().log()
    for _ in range(20):
        x = x - x.logsumexp(-1, keepdim=True)
        x = x - x.logsumexp(-2, keepdim=True)
    return x.exp()


def determinant(edge_logits: Tensor) -> tuple[Tensor, Tensor]:
    """Log partition of the trees of a symmetric graph, and its gradient, by a determinant in float64."""
    x = edge_logits.detach().double().requires_grad_()
    weights = x.exp() * (1 - torch.eye(x.shape[-1], dtype=torch.float64))
    laplacian = torch.diag_embed(weights.sum(-1)) - weights
    value = torch.linalg.slogdet(laplacian[:, 1:, 1:])[1]
    return value, torch.autograd.grad(value.sum(), x)[0]


def _step(draw: Callable[[], Tensor], x: Tensor, grad: Tensor) -> Callable[[], object]:
    return lambda: torch.autograd.grad(draw(), x, grad)


def _both(law: Callable[[], sd.structured.Structured]) -> Callable[[], object]:
    def call() -> object:
        d = law()
        return d.log_partition, d.marginals

    return call


def _subsets(seconds: float) -> Iterator[Row]:
    for shape, k, bar in (((256, 100), 10, 10.0), ((64, 1000), 50, 20.0)):
        x = torch.randn(shape)
        found = medians(
            {
                "ours": _both(lambda x=x, k=k: sd.structured.Subset(x, k)),
                "peer": lambda x=x, k=k: plain_marginals(x, k),
            },
            seconds,
        )
        what = f"subsets k={k}, log Z and marginals"
        yield Row(what, shape, x.dtype, "recursion", found["ours"], found["peer"], bar)
        if k == 50:
            continue  # the peer takes minutes
        y, grad = x.clone().requires_grad_(), torch.randn(shape)
        found = medians(
            {
                "ours": _step(lambda y=y, k=k: sd.structured.Subset(y, k).marginals, y, grad),
                "peer": _step(lambda y=y, k=k: plain_marginals(y, k, graph=True)[1], y, grad),
            },
            seconds,
        )
        yield Row(f"subsets k={k}, marginals f+b", shape, x.dtype, "recursion", found["ours"], found["peer"])


def _draws(seconds: float) -> Iterator[Row]:
    for shape, k, bar in (((4096, 1000), 10, 20.0), ((64, 128256), 50, 10.0)):
        x = torch.randn(shape)
        found = medians(
            {
                "ours": lambda x=x, k=k: sd.gumbel_top_k(x, k),
                "peer": lambda x=x, k=k: plain_top_k(x, k),
            },
            seconds,
        )
        yield Row(f"Gumbel top-{k} draw", shape, x.dtype, "topk of sum", found["ours"], found["peer"], bar)


def _relaxations(seconds: float) -> Iterator[Row]:
    x, grad = torch.randn(4096, 1000, requires_grad=True), torch.randn(4096, 1000)
    found = medians(
        {
            "ours": _step(lambda: sd.topk.entropic(x, 10), x, grad),
            "peer": _step(lambda: plain_successive(x, 10), x, grad),
        },
        seconds,
    )
    yield Row(
        "entropic top-10 f+b", (4096, 1000), x.dtype, "successive softmax", found["ours"], found["peer"], 20.0
    )
    s, grad = torch.randn(256, 32, 32, requires_grad=True), torch.randn(256, 32, 32)

    def ours() -> Tensor:
        # 1e-30: the iterations end by their number, as the peer's do
        y, _ = sd.gumbel_sinkhorn(s, tolerance=1e-30, max_iterations=20, return_error=True)
        return y

    found = medians(
        {"ours": _step(ours, s, grad), "peer": _step(lambda: plain_sinkhorn(s), s, grad)}, seconds
    )
    what, shape = "Sinkhorn, 20 iterations f+b", (256, 1024)
    yield Row(what, shape, s.dtype, "in logarithms", found["ours"], found["peer"], 4.0)


def _trees(seconds: float) -> Iterator[Row]:
    # the bars are how many times slower we may be
    for count, n, slower in ((128, 10, 2.0), (8, 100, 5.0)):
        x = torch.randn(count, n, n)
        x = x + x.mT
        found = medians(
            {
                "ours": _both(lambda x=x: sd.structured.SpanningTree(x)),
                "peer": lambda x=x: determinant(x),
            },
            seconds,
        )
        yield Row(
            "trees, log Z and marginals",
            (count, n),
            x.dtype,
            "float64 determinant",
            found["ours"],
            found["peer"],
            1 / slower,
        )


def rows(seconds: float) -> Iterator[Row]:
    """Every line of the table."""
    for part in (_subsets, _draws, _relaxations, _trees):
        yield from part(seconds)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.structured", description=__doc__)
    parser.add_argument("--seconds", type=float, default=2.0, help="time for each comparison (2)")
    parser.add_argument("--threads", type=int, help="threads of torch and of softdraw (torch's default)")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads")
    print(HEADER)
    for row in rows(options.seconds):
        print(row, flush=True)


if __name__ == "__main__":
    import warnings

    # Sinkhorn's tolerance cannot be reached, and is not meant to
    warnings.filterwarnings("ignore", "gumbel_sinkhorn: rows are off", RuntimeWarning)
    main()
