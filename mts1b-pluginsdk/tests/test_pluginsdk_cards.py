"""Every card passes a venue that keeps its word, and fails one that does not."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Coroutine, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pluginsdk_exemplar as exemplar
import pytest
from mts1b_foundation import OrderType, TimeInForce
from mts1b_foundation.protocols import DedupePolicy
from mts1b_platform.simulation import run
from mts1b_pluginsdk.cli import app
from mts1b_pluginsdk.conformance import (
    BROKER_CARDS,
    BenchSettings,
    Card,
    Report,
    Verdict,
    check_broker,
)
from pluginsdk_mutants import Mutant, plant, read_mutants
from typer.testing import CliRunner

QUICK = BenchSettings(patience_s=0.3)
MUTANTS = read_mutants()
TRAITS: dict[str, dict[str, Any]] = {
    "plain": {},
    "open orders": {"dedupe": DedupePolicy.OPEN_ORDERS},
    "strict": {
        "dedupe": DedupePolicy.WINDOW,
        "window_s": 600.0,
        "lag_s": 5.0,
        "history_s": 86_400.0,
        "changes_id": True,
        "rate": 10.0,
        "types": (OrderType.MARKET, OrderType.LIMIT),
        "tifs": (TimeInForce.DAY, TimeInForce.GTC),
    },
}


def _try(module: ModuleType, traits: str, cards: Sequence[Card]) -> Coroutine[Any, Any, Report]:
    chosen = module.Traits(**TRAITS[traits])
    return check_broker(lambda: module.Exemplar(chosen), cards=cards, settings=QUICK)


def test_the_exemplar_passes_what_it_claims() -> None:
    passed: set[str] = set()
    for traits in TRAITS:
        report = asyncio.run(_try(exemplar, traits, BROKER_CARDS))
        assert [(one.number, one.detail) for one in report.failed] == []
        passed |= {one.number for one in report.results if one.verdict is Verdict.PASSED}
    assert passed == {card.number for card in BROKER_CARDS}


@pytest.mark.parametrize("seed", range(1, 9))
def test_the_exemplar_passes_in_any_order_of_tasks(seed: int) -> None:
    assert run(_try(exemplar, "strict", BROKER_CARDS), seed=seed).failed == ()


def test_every_card_has_a_defect_that_it_finds() -> None:
    found = {number for mutant in MUTANTS for number in mutant.finds}
    assert found == {card.number for card in BROKER_CARDS}
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS) > 150


@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings:UserWarning")
@pytest.mark.parametrize("mutant", MUTANTS, ids=str)
def test_a_defect_fails_its_cards_and_no_others(mutant: Mutant) -> None:
    groups = {card.group for card in BROKER_CARDS if card.number in mutant.finds}
    cards = [card for card in BROKER_CARDS if card.group in groups]
    report = asyncio.run(_try(plant(mutant), mutant.traits, cards))
    assert {one.number for one in report.failed} == mutant.finds


def test_the_readme_counts_the_cards() -> None:
    page = (Path(__file__).parents[1] / "README.md").read_text()
    rows = re.findall(r"^\| ([a-z ]+) \| (\d+) \| ", page, re.MULTILINE)
    counts = Counter(card.group.value for card in BROKER_CARDS)
    assert {group: int(count) for group, count in rows} == dict(counts)
    assert f"{len(BROKER_CARDS)} cards in {len(counts)} groups".replace("12", "twelve") in page
    assert f"{len(MUTANTS)} small changes" in page


def test_the_page_of_cards_is_fresh() -> None:
    page = (Path(__file__).parents[1] / "CARDS.md").read_text()
    done = CliRunner().invoke(app, ["cards", "--markdown"])
    assert done.stdout == page, "CARDS.md is stale: mts plugin cards --markdown > CARDS.md"
    assert page.count("\n| B") == len(BROKER_CARDS)
