"""What any stage needs while it runs: budget, progress, interrupts, remarks, threads, versions.

May import: ``errors``; nothing else of the molecules.
"""
