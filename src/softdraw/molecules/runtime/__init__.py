"""How long, how far, interrupted by whom, on how many threads, made with which versions: what any stage needs
while it runs.

May import: ``errors``; nothing else of the molecules.
"""
