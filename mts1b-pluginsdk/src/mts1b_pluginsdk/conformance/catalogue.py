"""The cards as a page: what each is for, where it comes from, and what it needs."""

from __future__ import annotations

from collections.abc import Iterable

from mts1b_pluginsdk.conformance.card import Card, Group

__all__ = ["as_markdown"]

_HEAD = """# Conformance cards of brokers

Written by `mts plugin cards --markdown`. A card whose needs a venue does not claim is skipped with
the reason, never passed. MUST n is row n of the duties in the [README](README.md).
"""


def as_markdown(cards: Iterable[Card]) -> str:
    """Return the page of the cards, a table for each group."""
    known = list(cards)
    parts = [_HEAD, *(_table(group, known) for group in Group)]
    return "\n".join(part for part in parts if part)


def _table(group: Group, cards: list[Card]) -> str:
    mine = [card for card in cards if card.group is group]
    if not mine:
        return ""
    lines = [f"## {group.value.capitalize()}", ""]
    lines += ["| card | title | so that | from | needs |", "|---|---|---|---|---|"]
    return "\n".join([*lines, *(_row(card) for card in mine)]) + "\n"


def _row(card: Card) -> str:
    needs = "; ".join(need.value for need in card.needs)
    cells = (card.number, card.title, card.purpose, card.source, needs)
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
