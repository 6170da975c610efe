"""The recursions over structures as operations of graphs, with their derivatives.

What lives here: for each structure the operations (the C loops of ``kernels/cpu/structures`` on the CPU,
plain PyTorch elsewhere), and that plain PyTorch. May import: ``softdraw.kernels``, torch.
"""
