"""Say what kind of difference it is when the books differ and every execution told is booked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

__all__ = ["CASH", "Difference", "explain"]

CASH = "cash"
"""What a difference in money is called."""


class Difference(Protocol):
    """One figure that differs: a symbol, or :data:`CASH`."""

    @property
    def what(self) -> str:
        """Return which."""
        ...


def explain(differences: Sequence[Difference]) -> str:
    """Return what may have moved the account, as it was none of the executions told; "" for none.

    A guess that nobody books on: it says where to look. An execution moves both money and a
    position, so what moves one of them alone is no order, by whomever.
    """
    kinds = {one.what == CASH for one in differences}
    if kinds == {True}:
        return (
            "money alone moved: a dividend, interest, funding, a fee, or a transfer; no execution"
        )
    if kinds == {False}:
        return "positions alone moved: a split, or a transfer of stock; no execution"
    if kinds:
        return (
            "positions and money moved: executions that the venue's history does not tell, or a "
            "corporate action that pays"
        )
    return ""
