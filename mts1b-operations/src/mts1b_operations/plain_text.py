"""What others wrote, as text that a terminal shows and does not obey."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable

from mts1b_operations.errors import BadSelection

__all__ = ["for_terminal", "one_line", "require_key_name", "sendable"]

_KEY_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def one_line(text: str) -> str:
    """Return the text with everything that is not printed written out.

    A reason with a line break could show a status of its own, one with an escape hide the real one.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def require_key_name(name: str, who: str) -> None:
    """Return when a key may be called so.

    :raises BadSelection: for a name that no file could have.
    """
    if not _KEY_NAME.fullmatch(name):
        raise BadSelection(
            f"{name[:80]!r} names no {who}; use letters, digits, '.', '_' and '-', at most "
            "64, a letter or digit first"
        )


def for_terminal(lines: Iterable[str], *, encoding: str | None = None) -> str:
    """Return lines as one text that the terminal can show, whatever its encoding.

    :param encoding: of the terminal; None for that of standard output.
    """
    known = encoding or sys.stdout.encoding or "ascii"
    text = "\n".join(one_line(line) for line in lines)
    return text.encode(known, "backslashreplace").decode(known)


def sendable(text: str) -> str:
    """Return the text with what no UTF-8 can hold replaced, as a terminal of another encoding
    gives it: nobody is to be left without a halt by an umlaut in its reason."""
    return text.encode("utf-8", "replace").decode()
