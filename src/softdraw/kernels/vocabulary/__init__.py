"""Draws over a vocabulary by tiles of its classes: no tensor of rows x classes is ever made.

What lives here: the loops over tiles around the matrix product (``index``, ``mixture``), what is done to a
tile in PyTorch (``index_formulas`` and ``mixture_formulas``, the definitions of the C loops in
``kernels.cpu.vocabulary`` and ``kernels.cpu.mixture`` and of the Triton programs in
``kernels.triton.mixture``), and the operations that graphs carry (``index_op``, ``mixture_op``).
May import: the rest of ``softdraw.kernels``, torch.
"""
