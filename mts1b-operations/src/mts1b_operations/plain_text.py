"""What others wrote, as text that a terminal shows and does not obey."""

from __future__ import annotations

__all__ = ["one_line"]


def one_line(text: str) -> str:
    """Return the text with everything that is not printed written out.

    A reason with a line break could show a status of its own, one with an escape hide the real one.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
