"""The same tape gives the same state: twice, on two buses, in one process and in five."""

from __future__ import annotations

import json
import sqlite3
from decimal import Decimal
from pathlib import Path

import pytest
from numpy._core._multiarray_umath import __cpu_dispatch__, __cpu_features__

from tests.integration.replay_home import CALM, audit, make_home, mts, run_paper


def test_the_run_traded_and_was_halted_and_resumed(reference: tuple[Path, str]) -> None:
    home, digest = reference
    actions = [entry["action"] for entry in audit(home)]
    assert len(digest) == 64
    for action in ("fill_created", "nav_updated", "halt_requested", "halt_resumed"):
        assert action in actions
    assert "order_rejected" in actions


@pytest.mark.parametrize(
    "arguments",
    [("--layout", "five"), ("--layout", "one"), ("--layout", "one", "--bus", "local")],
    ids=["again-in-five", "nats-in-one", "local-in-one"],
)
def test_another_run_ends_in_the_same_state(
    reference: tuple[Path, str], tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    home = make_home(tmp_path / "home", CALM)
    assert run_paper(home, *arguments) == reference[1]


def test_an_older_processor_ends_in_the_same_state(
    reference: tuple[Path, str], tmp_path: Path
) -> None:
    names = [name for name in __cpu_dispatch__ if __cpu_features__.get(name)]
    older = {"NPY_DISABLE_CPU_FEATURES": " ".join(names), "OPENBLAS_CORETYPE": "Nehalem"}
    home = make_home(tmp_path / "home", CALM)
    arguments = ("--layout", "one", "--bus", "local")
    assert run_paper(home, *arguments, variables=older) == reference[1]


def test_another_tape_ends_in_another_state(reference: tuple[Path, str], tmp_path: Path) -> None:
    data = json.loads(json.dumps(CALM))
    data["venue"]["slippage_bps"] = 3.0
    home = make_home(tmp_path / "home", data)
    assert run_paper(home, "--layout", "one", "--bus", "local") != reference[1]


def test_sub_books_sum_to_the_venue(reference: tuple[Path, str]) -> None:
    home, _ = reference
    with sqlite3.connect(f"{(home / 'db' / 'oms.sqlite').as_uri()}?mode=ro", uri=True) as db:
        rows = db.execute("SELECT symbol, strategy_id, quantity FROM positions").fetchall()
    db.close()
    with sqlite3.connect(
        f"{(home / 'db' / 'venue-paper.sqlite').as_uri()}?mode=ro", uri=True
    ) as db:
        venue = db.execute("SELECT symbol, quantity FROM venue_positions").fetchall()
    db.close()
    books: dict[str, Decimal] = {}
    for symbol, _, quantity in rows:
        books[symbol] = books.get(symbol, Decimal(0)) + Decimal(quantity)
    at_venue: dict[str, Decimal] = {}
    for symbol, quantity in venue:
        at_venue[symbol] = at_venue.get(symbol, Decimal(0)) + Decimal(quantity)
    assert {s: q for s, q in books.items() if q} == {s: q for s, q in at_venue.items() if q}
    owners = {strategy for symbol, strategy, _ in rows if symbol == "IXIC"}
    assert owners == {"trend-ixic", "parity-spx-ixic"}


def test_a_finished_run_is_followed_by_a_new_one(
    reference: tuple[Path, str], tmp_path: Path
) -> None:
    home = make_home(tmp_path / "home", CALM)
    first = run_paper(home, "--layout", "one", "--bus", "local")
    second = run_paper(home, "--layout", "one", "--bus", "local")
    assert first == second == reference[1]
    assert (home / "archive" / "000001" / "db").is_dir()


def test_the_audit_log_of_the_run_verifies(reference: tuple[Path, str]) -> None:
    home, _ = reference
    answer = json.loads(mts(home, "mts1b-operations", "audit", "verify", "--json").stdout)
    assert answer["verified"] is True
