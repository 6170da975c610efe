"""What RDKit knows: atom types, molecule to graph and back, properties, patterns, what a set is made of.

A new property is one more record in ``known``, a new kind with an argument one more entry in ``kinds``.
May import: ``tasks``, ``storage``, ``errors``.
"""
