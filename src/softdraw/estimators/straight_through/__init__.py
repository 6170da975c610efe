"""Hard samples whose backward borrows another sample's gradient.

May import: ``estimators._core``.
"""
