"""Molecular graphs drawn in one shot by a generator that learns from a critic, through Gumbel-Softmax.

``graphs`` holds graphs as tensors, ``generator`` and ``critic`` are the two networks, ``training`` is their
game, ``runs`` the folder of a run, ``__main__`` the command. Only public names of softdraw are used.
"""
