import pytest

from softdraw.molecules import errors


@pytest.mark.parametrize("name", errors.__all__)
def test_every_error_can_be_caught_as_a_molecule_error(name):
    kind = getattr(errors, name)
    assert issubclass(kind, errors.MoleculeError)
    assert kind.__doc__
    assert issubclass(kind, ValueError) is (name in ("OptionError", "SetError", "TargetError"))
