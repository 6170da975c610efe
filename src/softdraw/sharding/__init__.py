"""Draws from logits that are spread over ranks: a DTensor draws what one process with all of it would.

What lives here: what a rank reads of a DTensor (``spread``), reductions over the ranks that share a row
(``collectives``, ``winner``), and the draws (``draws``), which ``softdraw.functional`` calls for logits that
are DTensors. Imported when it is first needed, so that ``import softdraw`` does not wait for it. May import:
``softdraw.random``, ``softdraw.arguments``, ``softdraw.kernels``, torch.
"""

__all__: list[str] = []
