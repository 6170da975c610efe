"""What mkdocstrings has to know of our code before it writes the reference; ``mkdocs.yml`` names this file.

Griffe reads the sources for it, and gets two things wrong: a section that is headed ``Example:`` is no
example to it (only ``Examples:`` is), so that doctests come out as quotations within quotations; and where a
function and its module share a name, as ``softdraw.filters.top_k``, it finds the module.
"""

import re
from typing import Any

from griffe import Alias, Extension, GriffeLoader, Module, Object


class Softdraw(Extension):
    """Docstrings with examples, and public names that are what Python finds under them."""

    def on_instance(self, *, obj: Object, **kwargs: Any) -> None:
        """Head the examples of a docstring as Griffe expects it."""
        if obj.docstring is not None:
            obj.docstring.value = re.sub(r"^( *)Example:$", r"\1Examples:", obj.docstring.value, flags=re.M)

    def on_package(self, *, pkg: Module, loader: GriffeLoader, **kwargs: Any) -> None:
        """Put what a room exports in the place of the module of the same name, from the inner rooms out."""
        loader.resolve_aliases(implicit=True, external=False)
        for room in sorted(_modules_of(pkg), key=lambda module: -module.path.count(".")):
            for name in {str(name) for name in room.exports or ()} & room.imports.keys():
                if room.members[name].is_module:
                    found = loader.modules_collection[room.imports[name]]
                    if not found.is_module:
                        target = found.final_target if found.is_alias else found
                        room.members[name] = Alias(name, target=target, parent=room)


def _modules_of(package: Module) -> list[Module]:
    found = [package]
    for member in package.members.values():
        if isinstance(member, Module):
            found += _modules_of(member)
    return found
