"""``python -m softdraw``, and so ``torchrun -m softdraw``: the ``softdraw`` command."""

from softdraw.cli import main

if __name__ == "__main__":
    main()
