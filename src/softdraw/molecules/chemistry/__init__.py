"""What RDKit knows: atom types, molecule to graph and back, properties, patterns, what a set is made of.

A new property is one more record in ``properties``. May import: ``storage``, ``errors``.
"""
