"""Draws over a vocabulary by tiles of its classes: no tensor of rows x classes is ever made.

What lives here: the loops over tiles around the matrix product (``mixture``), what is done to a tile in
PyTorch (``mixture_formulas``, the definition of the C loops in ``kernels.cpu.mixture``), and the operations
that graphs carry (``mixture_op``). May import: the rest of ``softdraw.kernels``, torch.
"""
