"""A categorical VAE on MNIST, in the setting of ReinMax's paper: which gradient learns most, and why.

``settings`` has what was published, ``model`` the network and its exact bound, ``training`` one run,
``gradients`` bias and variance while it trains, ``__main__`` the command.
"""
