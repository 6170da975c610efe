"""What RDKit knows: atom types, molecule to graph and back, properties, what a set is made of.

May import: ``errors``, ``storage``.
"""
