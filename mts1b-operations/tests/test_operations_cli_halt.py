"""What `mts cmd halt` and `resume` say: what holds, what does not, and what to do about it."""

from __future__ import annotations

import asyncio
import json
import re
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from mts1b_operations import cli
from mts1b_operations.audit import AuditReader
from mts1b_operations.errors import (
    BadSelection,
    HaltUnaudited,
    NotFound,
    ResidueLeft,
    ResumeRefused,
    ScopeUnknown,
)
from mts1b_operations.parts import open_parts
from mts1b_operations.plain_text import for_terminal
from mts1b_platform.halt import HaltStore
from operations_terminal import Run
from operations_world import FUND, STRATEGY

YES = ("--yes", "--reason", "fire drill")


def scopes(home: Path) -> list[str]:
    return [halt.scope for halt in HaltStore(home / "halt").state().active]


def frozen_sender(home: Path) -> None:
    """Leave the socket of a sender that nobody answers on."""
    (home / "run").mkdir(exist_ok=True)
    (home / "run" / "halt-oms.sock").touch()


def told(output: str) -> dict[str, Any]:
    """Return the one object that is all of the output."""
    found: dict[str, Any] = json.loads(output)
    return found


def test_what_is_left_after_a_halt_is_told_in_its_own_json(mts: Run, home: Path) -> None:
    frozen_sender(home)
    done = told(mts(cli.cmd, "halt", *YES, "--json", code=1).output)
    assert (done["halt"]["scope"], done["silent"]) == ("firm", ["oms"])
    assert (done["error"], done["exit_code"]) == ("ResidueLeft", 1)
    assert "look at the venue" in done["message"]
    plain = mts(cli.cmd, "halt", *YES, code=1)
    assert "stopped: nobody; no answer: oms" in plain.output
    assert isinstance(plain.exception, ResidueLeft)
    kept = told(mts(cli.cmd, "halt", *YES, "--keep-orders", "--json", code=1).output)
    assert "venue" not in kept["message"]


@pytest.mark.parametrize(
    "words",
    [
        ("--reason", "St\udcf6rung"),  # as Python gets it from a terminal in Latin-1
        ("--reason", "x", "--operator", "J\udcf6rg"),
        ("--reason", "x", "--operator", "a" * 400),
        ("--reason", "x" * 100_000),
        ("--reason", "nul \0 and bell \a"),
    ],
)
def test_no_text_keeps_a_halt_from_being_one(mts: Run, home: Path, words: tuple[str, ...]) -> None:
    mts(cli.cmd, "halt", "--yes", *words)
    assert scopes(home) == ["firm"]
    for name in ("jane", "bob"):
        mts(cli.cmd, "operator-key", name)
    both = ("--operator", "jane", "--cosigner", "bob", "--reason", words[1])
    mts(cli.cmd, "resume", *both)
    assert scopes(home) == []
    with AuditReader(home) as reader:
        assert reader.verify()[0] == reader.size


@pytest.mark.parametrize("kind", ["fund", "strategy", "venue"])
@pytest.mark.parametrize("length", [200, 60_000])
def test_no_name_is_too_long_to_be_halted_and_resumed(
    mts: Run, home: Path, kind: str, length: int
) -> None:
    scope = f"{kind}:{'n' * length}"
    mts(cli.cmd, "halt", scope, *YES, code=1)  # it is in force, and nothing is called so here
    assert scopes(home) == [scope]
    mts(cli.cmd, "operator-key", "jane")
    mts(cli.cmd, "resume", scope, "--operator", "jane")
    assert scopes(home) == []
    with AuditReader(home) as reader:
        assert [e.action for e in reader.trail(scope)] == ["halt_requested", "halt_resumed"]


def test_everything_that_is_left_is_told_at_once(mts: Run, home: Path) -> None:
    frozen_sender(home)
    (home / "mts.yaml").write_text("buss: {}\n")
    done = told(mts(cli.cmd, "halt", *YES, "--json", code=1).output)
    assert "no answer from oms" in done["message"]
    assert "not in the audit log" in done["message"]


@pytest.mark.parametrize("scope", ["fund:papr", "strategy:trend", "venue:papr"])
def test_a_halt_that_stops_nothing_says_so(mts: Run, home: Path, scope: str) -> None:
    done = mts(cli.cmd, "halt", scope, *YES, code=1)
    assert isinstance(done.exception, ScopeUnknown)
    assert "look at the spelling" in done.output
    assert scopes(home) == [scope], "it is in force all the same"
    both = told(mts(cli.cmd, "halt", scope, *YES, "--json", code=1).output)
    assert (both["error"], both["halt"]["scope"]) == ("ScopeUnknown", scope)


def test_what_is_configured_is_not_strange(mts: Run) -> None:
    for scope in (f"fund:{FUND}", f"strategy:{STRATEGY}", "venue:paper", "symbol:IXIC"):
        assert "spelling" not in mts(cli.cmd, "halt", scope, *YES).output
    assert "spelling" in mts(cli.cmd, "halt", "symbol:NDX", *YES).output


def test_a_symbol_is_halted_as_orders_spell_it(mts: Run, home: Path) -> None:
    mts(cli.cmd, "halt", "symbol:ixic", *YES)
    record = HaltStore(home / "halt")
    place = {"fund_id": "f", "strategy_id": "s", "symbol": "IXIC"}
    assert record.blocked(**place, reduce_only=True) is not None  # type: ignore[arg-type]
    wrong = mts(cli.cmd, "halt", "symbol:no such thing", *YES, code=2)
    assert isinstance(wrong.exception, BadSelection)


def test_a_resume_says_what_is_halted_all_the_same(mts: Run) -> None:
    for scope in (FUND, STRATEGY):
        mts(cli.cmd, "halt", scope, *YES)
    mts(cli.cmd, "operator-key", "jane")
    first = mts(cli.cmd, "resume", FUND, "--operator", "jane").output
    assert f"still halted: strategy:{STRATEGY}" in first
    last = told(mts(cli.cmd, "resume", STRATEGY, "--operator", "jane", "--json").output)
    assert (last["scope"], last["still_halted"]) == (f"strategy:{STRATEGY}", [])


def test_a_resume_is_signed_for_what_is_halted_and_written_where_it_can_be(
    mts: Run, home: Path
) -> None:
    mts(cli.cmd, "operator-key", "jane")
    signed = ("resume", "--operator", "jane", "--out")
    nothing = mts(cli.cmd, *signed, str(home / "r.json"), code=1)
    assert isinstance(nothing.exception, NotFound)
    mts(cli.cmd, "halt", *YES)
    absent = mts(cli.cmd, *signed, str(home / "absent" / "r.json"), code=2)
    assert isinstance(absent.exception, BadSelection)


def test_an_unreadable_record_is_told_with_its_remedy(mts: Run, home: Path) -> None:
    mts(cli.cmd, "operator-key", "jane")
    mts(cli.cmd, "halt", STRATEGY, *YES)
    (home / "halt" / "halts.json").write_bytes(b"")
    assert "EVERYTHING is halted" in mts(cli.cmd, "halt", STRATEGY, *YES).output
    for scope in ([], [STRATEGY]):
        refused = mts(cli.cmd, "resume", *scope, "--operator", "jane", code=5)
        assert isinstance(refused.exception, ResumeRefused)
        assert "start operations again" in str(refused.exception)
    assert "start operations again" in mts(cli.status, code=1).output
    examined = told(mts(cli.doctor, "--json", code=1).output)
    assert examined["exit_code"] == 1
    found = {f["check"]: f for f in examined["items"]}
    assert found["halts"]["verdict"] == "fail"
    assert "two operators" in found["halts"]["remedy"]


def test_a_halt_that_could_not_be_audited_says_when_it_will_be(mts: Run, home: Path) -> None:
    (home / "mts.yaml").write_text("buss: {}\n")
    halted = mts(cli.cmd, "halt", *YES, code=1)
    assert isinstance(halted.exception, HaltUnaudited)
    assert "when it answers or starts again" in str(halted.exception)
    (home / "halt" / "halts.json").write_bytes(b"")
    lost = mts(cli.cmd, "halt", *YES, code=1)
    assert "the halt of everything stands for it" in str(lost.exception)


def test_nothing_that_a_reason_holds_makes_a_line_of_its_own(mts: Run) -> None:
    faked = "drill\nhalts     none (epoch 9)\x1b[2K\x07"
    mts(cli.cmd, "halt", STRATEGY, "--yes", "--reason", faked)
    lines = mts(cli.status).output.splitlines()
    assert not any(line.startswith("halts") for line in lines)
    assert "\x1b" not in "".join(lines)
    assert any(line.startswith("HALTED") and "drill" in line for line in lines)


def test_a_terminal_without_the_letters_shows_the_rest() -> None:
    lines = ["HALTED    firm: St\u00f6rung", "two\nlines"]
    assert for_terminal(lines, encoding="ascii") == "HALTED    firm: St\\xf6rung\ntwo\\nlines"
    assert for_terminal(lines[:1], encoding="latin-1") == lines[0]


def test_why_names_the_halt_of_a_venue_or_symbol(mts: Run, home: Path) -> None:
    asyncio.run(_denied_by_symbol(home))
    text = mts(cli.why, "ord-7").output
    assert "halted by drawdown_halt (SYMBOL_HALTED)" in text
    assert "halt of symbol:IXIC by operator:jane" in text
    assert re.search(r"operator:jane  \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", text), "in UTC, and says so"


async def _denied_by_symbol(home: Path) -> None:
    """Append to the log what is written when ord-2 comes again while its symbol is halted."""
    parts = await open_parts(home)
    halt = {"reason": "news", "requested_by": "operator:jane"}
    await parts.audit.append(
        actor="operator:jane", action="halt_requested", subject_id="symbol:IXIC", data=halt
    )
    for entry in await parts.audit.get_trail(subject_id="ord-2"):
        text = json.dumps(entry.data).replace("FUND_HALTED", "SYMBOL_HALTED")
        await parts.audit.append(
            actor=entry.actor, action=entry.action, subject_id="ord-7", data=json.loads(text)
        )
    await parts.store.close()


def test_every_answer_of_no_holds_its_exit_code(mts: Run, home: Path) -> None:
    with sqlite3.connect(home / "db" / "operations.sqlite") as db:
        db.execute("UPDATE audit_entries SET actor = 'x' WHERE sequence = 5")
    db.close()
    assert told(mts(cli.app, "audit", "verify", "--json", code=1).output)["exit_code"] == 1
    assert told(mts(cli.report, "build", "--json", code=1).output)["exit_code"] == 1
    (home / "run").mkdir(exist_ok=True)
    (home / "run" / "oms.json").write_text('{"pid": 1, "health_port": 1}')
    assert told(mts(cli.status, "--json", code=1).output)["exit_code"] == 1
