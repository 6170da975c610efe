"""The text of a file, in whatever encoding it came."""

import codecs
import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from softdraw.arguments import wrong_type
from softdraw.molecules.data.kinds import Meter, open_bytes
from softdraw.molecules.errors import DataError, OptionError

__all__ = ["NOT_TEXT", "encoding_of", "open_text", "text_encoding"]

NOT_TEXT = "not a text file, expected molecules as text in UTF-8, UTF-16 or Latin-1"

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_NAMES = {
    "latin-1": "Latin-1",
    "utf-16": "UTF-16",
    "utf-16-le": "UTF-16",
    "utf-16-be": "UTF-16",
    "utf-32": "UTF-32",
}
_UNSAID = ("utf-8", "utf-8-sig")
_CONTROL = bytes(set(range(32)) - set(b"\t\n\v\f\r\x1a"))
"""Bytes that no text holds; DOS ended its files with 1A."""
_ASCII = bytes(range(128))
_FOREIGN = 0.25
"""A text of molecules in Latin-1 has less than this share outside ASCII: SMILES and numbers are ASCII."""
_CHUNK = 1 << 20


@contextmanager
def open_text(
    file: Path, encoding: str | None = None, meter: Meter | None = None
) -> Iterator[tuple[IO[str], str]]:
    """A file as text, and the name of its encoding: empty for UTF-8, which goes without saying.

    Args:
        file: the file.
        encoding: its encoding, as ``text_encoding`` gives it; by default it is found.
        meter: is told how far the text has been read.

    Raises:
        DataError: it is no text.
    """
    if encoding is None:
        with open_bytes(file) as content:
            encoding = encoding_of(content)
    if encoding is None:
        raise DataError(f"{file}: {NOT_TEXT}")
    named = "" if encoding in _UNSAID else _NAMES.get(encoding, encoding)
    with (
        open_bytes(file, meter) as content,
        io.TextIOWrapper(content, encoding=encoding, newline="") as text,
    ):
        yield text, named


def text_encoding(name: str) -> str:
    """An encoding that a user named, as Python calls it.

    Raises:
        OptionError: Python knows no encoding of text by that name.
        TypeError: it is no text.

    Example:
        >>> text_encoding("Latin1"), text_encoding("UTF8")
        ('iso8859-1', 'utf-8-sig')
    """
    if not isinstance(name, str):
        raise wrong_type("encoding", name, "the name of an encoding, such as cp1252")
    try:
        found = codecs.lookup(name).name
        io.TextIOWrapper(io.BytesIO(), encoding=found).close()  # refuses what turns text into text
    except (LookupError, ValueError):
        raise OptionError(
            f"encoding: got {name!r}, expected the name of an encoding of text that Python knows, such as "
            "latin-1, cp1252, utf-16 or shift_jis"
        ) from None
    return "utf-8-sig" if found == "utf-8" else found


def encoding_of(content: IO[bytes]) -> str | None:
    """The encoding of a text, or None where it is none. UTF-16 is told without its mark too.

    What is no UTF-8 is Latin-1: every byte then is a character, and SMILES are ASCII in both.

    Example:
        >>> names = ("utf-8", "cp1252", "utf-16")
        >>> [encoding_of(io.BytesIO("CCO Weingeist, süß".encode(name))) for name in names]
        ['utf-8', 'latin-1', 'utf-16']
    """
    chunk = content.read(_CHUNK)
    for mark, name in _MARKS:
        if chunk.startswith(mark):
            return name
    if b"\0" in chunk:
        # of ASCII as UTF-16, every other byte is zero
        half = len(chunk) // 2
        even, odd = chunk[::2].count(0), chunk[1::2].count(0)
        return (
            "utf-16-le"
            if not even and odd > 0.7 * half
            else "utf-16-be"
            if not odd and even > 0.7 * half
            else None
        )
    decoder = codecs.getincrementaldecoder("utf-8")()
    while chunk:
        try:
            decoder.decode(chunk)
        except UnicodeDecodeError:
            return "latin-1" if _is_latin(chunk) else None
        chunk = content.read(_CHUNK)
    try:
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return "latin-1"
    return "utf-8"


def _is_latin(chunk: bytes) -> bool:
    foreign = len(chunk.translate(None, _ASCII))
    return foreign < _FOREIGN * len(chunk) and chunk.translate(None, _CONTROL) == chunk
