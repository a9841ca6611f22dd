"""An operator during the replay: halt, resume, why, and a log that can not be bent."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from tests.integration.replay_home import PaperRun, audit, make_home, mts, settings

LONG = settings("2000-01-01T00:00:00Z", "2002-12-31T00:00:00Z")

MANUAL = (
    *("oms", "submit", "--side", "buy", "--quantity", "1", "--key", "manual-1"),
    *("--fund", "paper-parity", "--strategy", "parity-spx-ixic", "--operator", "ada"),
)


@pytest.fixture(scope="module")
def halted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a finished run that an operator halted for a while."""
    home = make_home(tmp_path_factory.mktemp("operator") / "home", LONG)
    run = PaperRun(home)
    try:
        run.until_tick(60)
        with run.held():
            _halt_by_hand(home)
        run.until_tick(run.progress() + 60)
        with run.held():
            _resume_by_hand(home)
        run.finish()
    finally:
        run.stop()
    return home


def _halt_by_hand(home: Path) -> None:
    unknown = mts(home, *MANUAL, "--symbol", "ZZZZ", check=False)
    assert unknown.returncode == 5, unknown.stderr
    assert "ZZZZ" in unknown.stderr
    done = mts(home, "cmd", "halt", "--yes", "--reason", "drill", "--operator", "ada")
    assert "HALTED firm" in done.stdout


def _resume_by_hand(home: Path) -> None:
    unsigned = mts(home, "cmd", "resume", check=False)
    assert unsigned.returncode == 2, unsigned.stderr
    stranger = mts(home, "cmd", "resume", "--operator", "mallory", check=False)
    assert stranger.returncode in (3, 5), stranger.stderr
    for name in ("ada", "grace"):
        mts(home, "cmd", "operator-key", name)
    alone = mts(home, "cmd", "resume", "--operator", "ada", check=False)
    assert alone.returncode in (3, 5), alone.stderr
    both = ("--operator", "ada", "--cosigner", "grace", "--reason", "drill over")
    mts(home, "cmd", "resume", *both)


def drill(home: Path) -> tuple[int, int]:
    """Return where in the log the drill begins and ends."""
    entries = audit(home)
    begin = next(
        e["sequence"]
        for e in entries
        if e["action"] == "halt_requested" and "drill" in e["data"] and "firm" in e["data"].lower()
    )
    end = next(
        e["sequence"]
        for e in entries
        if e["action"] == "halt_resumed" and "drill over" in e["data"]
    )
    return begin, end


def test_no_order_leaves_while_the_firm_is_halted(halted: Path) -> None:
    begin, end = drill(halted)
    entries = audit(halted)
    start = next(e["timestamp"] for e in entries if e["sequence"] == begin)
    stop = next(e["timestamp"] for e in entries if e["sequence"] == end)
    left = [
        e["timestamp"]
        for e in entries
        if e["action"] == "order_submitted" and start < e["timestamp"] < stop
    ]
    denied = [e for e in entries if e["action"] == "order_rejected" and "FIRM_HALTED" in e["data"]]
    assert left == []
    assert denied


def test_trading_goes_on_after_the_signed_resume(halted: Path) -> None:
    _, end = drill(halted)
    later = [e for e in audit(halted) if e["sequence"] > end and e["action"] == "order_submitted"]
    assert later


def one_order(home: Path, action: str, text: str = "") -> str:
    return next(e["subject_id"] for e in audit(home) if e["action"] == action and text in e["data"])


def test_why_tells_the_whole_story(halted: Path) -> None:
    filled = mts(halted, "why", one_order(halted, "order_filled")).stdout
    for word in ("signal", "created", "static", "position_risk", "approved", "submitted", "fill"):
        assert word in filled.lower(), filled
    stopped = mts(halted, "why", one_order(halted, "order_rejected", "FIRM_HALTED")).stdout
    assert "FIRM_HALTED" in stopped
    assert "drawdown_halt" in stopped
    denied = mts(halted, "why", one_order(halted, "order_rejected", "FUND_HALTED")).stdout
    assert "FUND_HALTED" in denied
    assert "resumed" in denied
    assert mts(halted, "why", "ord-nothing", check=False).returncode == 1


def test_one_changed_byte_is_found_where_it_is(halted: Path, tmp_path: Path) -> None:
    assert mts(halted, "mts1b-operations", "audit", "verify").returncode == 0
    victim = audit(halted)[1000]
    path = halted / "db" / "operations.sqlite"
    with sqlite3.connect(path) as db:
        changed = victim["data"].replace("1", "2", 1)
        assert changed != victim["data"]
        db.execute(
            "UPDATE audit_entries SET data = ? WHERE sequence = ?", (changed, victim["sequence"])
        )
    db.close()
    bad = mts(halted, "mts1b-operations", "audit", "verify", "--json", check=False)
    assert bad.returncode == 1
    assert json.loads(bad.stdout)["index"] == victim["sequence"]
    with sqlite3.connect(path) as db:
        db.execute(
            "UPDATE audit_entries SET data = ? WHERE sequence = ?",
            (victim["data"], victim["sequence"]),
        )
    db.close()
    assert mts(halted, "mts1b-operations", "audit", "verify").returncode == 0
