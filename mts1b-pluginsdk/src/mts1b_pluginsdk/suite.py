"""The test that the pytest plugin collects: one for each card."""

from __future__ import annotations

import asyncio
import unittest
from dataclasses import dataclass

from mts1b_pluginsdk.conformance import BenchSettings, Card, Connect, Verdict

__all__ = ["BoundCard", "test_card"]


@dataclass(frozen=True, slots=True)
class BoundCard:
    """A card with the broker that it is tried on."""

    card: Card
    connect: Connect
    settings: BenchSettings


def test_card(mts_card: BoundCard) -> None:
    """Fail with what was seen; skip, with the reason, what the venue does not offer."""
    card = mts_card.card
    result = asyncio.run(card.run(mts_card.connect, settings=mts_card.settings))
    if result.verdict is Verdict.SKIPPED:
        raise unittest.SkipTest(result.detail)
    if result.verdict is Verdict.FAILED:
        raise AssertionError(f"{card.purpose}: {result.detail} ({card.source})")
