"""The commands, run as a user runs them, on a home that a real service has filled."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from mts1b_operations import cli
from mts1b_operations.audit import AuditReader, verifier
from mts1b_operations.errors import (
    AuditUnavailable,
    BadSelection,
    HaltUnaudited,
    NotConfirmed,
    NotFound,
    NothingRuns,
    ResumeRefused,
)
from mts1b_platform.halt import HaltStore
from operations_terminal import Run
from operations_world import FUND, STRATEGY
from typer.testing import CliRunner


def test_why_tells_the_whole_chain_of_a_filled_order(mts: Run) -> None:
    for name in ("ord-0", "fill-0", "key-0", "b-0"):
        text = mts(cli.why, name).output
        for part in (
            "order ord-0: filled, 1 fill",
            "signal: trend-ixic wants IXIC long",
            "price above its 200-day mean",
            "intent: ordered",
            "created: buy 10 IXIC market day",
            "approved by risk",
            "gate position_risk: passed (value 20000, limit 1000000)",
            "approval app-0 signed by key k-1",
            "accepted",
            "fill: buy 10 at 2001.50 on paper",
            "position of trend-ixic in IXIC afterwards: 10",
            "NAV of paper-momentum afterwards: 940,000",
        ):
            assert part in text, part
        assert text.index("signal:") < text.index("created:") < text.index("approved by risk")
        assert text.index("approved by risk") < text.index("accepted") < text.index("fill:")


def test_why_of_a_denied_and_of_a_halted_order(mts: Run) -> None:
    denied = mts(cli.why, "ord-1").output
    assert "order ord-1: denied by static (MAX_ORDER_NOTIONAL)" in denied
    assert "gate static: DENIED MAX_ORDER_NOTIONAL (value 20000, limit 1000): too large" in denied
    assert "halt of" not in denied
    halted = mts(cli.why, "ord-2").output
    assert "order ord-2: halted by drawdown_halt (FUND_HALTED)" in halted
    assert "halt of fund:paper-momentum by mts1b-riskengine" in halted
    assert "resumed 2008-09-19 by operator:scripted" in halted
    assert "halt of firm" not in halted


def test_why_of_a_signal_and_as_json(mts: Run) -> None:
    story = json.loads(mts(cli.why, "sig-0", "--json").output)
    assert [child["title"].split(":")[0] for child in story["children"]] == [
        "signal",
        "intent",
        "order ord-0",
    ]
    with pytest.raises(NotFound, match="nothing on 'ord-99'"):
        raise mts(cli.why, "ord-99", code=1).exception or AssertionError


def test_audit_show_tail_and_verify(mts: Run, home: Path) -> None:
    assert "order_created" in mts(cli.app, "audit", "show", "--subject-id", "ord-0").output
    tail = json.loads(mts(cli.app, "audit", "tail", "-n", "2", "--json").output)["items"]
    assert [entry["action"] for entry in tail] == ["nav_updated", "service.stopped"]
    assert mts(cli.app, "audit", "verify", "--from-sequence", "0").output.startswith("true: ")
    with sqlite3.connect(home / "db" / "operations.sqlite") as db:
        db.execute("UPDATE audit_entries SET actor = 'x' WHERE sequence = 5")
    db.close()
    assert "false: audit log broken at index 5" in mts(cli.app, "audit", "verify", code=1).output
    bad = json.loads(mts(cli.app, "audit", "verify", "--json", code=1).output)
    assert (bad["verified"], bad["index"]) == (False, 5)


def test_an_exported_log_is_verified_without_the_project(mts: Run, home: Path) -> None:
    target = home / "audit.log"
    mts(cli.app, "audit", "export", str(target))
    run = [sys.executable, "-I", verifier.__file__, str(target)]
    done = subprocess.run(run, capture_output=True, text=True, check=True)
    with AuditReader(home) as reader:
        size, root = reader.verify()
    assert f"intact: {size} entries, root {root}" in done.stdout
    lines = target.read_text().splitlines(keepends=True)
    assert verifier.check(lines)[:2] == (size, root)
    attacks = {
        "change": (4, [*lines[:5], lines[5].replace("ord-0", "ord-9"), *lines[6:]]),
        "delete": (4, [*lines[:5], *lines[6:]]),
        "swap": (4, [*lines[:5], lines[6], lines[5], *lines[7:]]),
        "truncate": (size - 1, [*lines[:size], *lines[size + 1 :]]),
    }
    body = lines[5].partition(" ")[2].rstrip("\n")
    linked = body.replace(json.loads(body)["previous_hash"], "ab" * 32)
    digest = hashlib.sha256(b"\x00" + linked.encode()).hexdigest()
    attacks["relink"] = (4, [*lines[:5], f"{digest} {linked}\n", *lines[6:]])
    signed = json.loads(lines[-1].partition(" ")[2])
    unsigned = "checkpoint " + json.dumps(signed | {"signature": "00" * 64})
    attacks["unsigned"] = (0, [*lines[:-1], unsigned])
    for name, (index, forged) in attacks.items():
        with pytest.raises(verifier.BadLog) as caught:
            verifier.check(forged)
        assert caught.value.index == index, name
    with pytest.raises(verifier.BadLog, match="not signed by this key"):
        verifier.check(lines, public_key="00" * 32)
    with pytest.raises(ValueError, match="no exported audit log"):
        verifier.check(["hello\n"])


def test_status_works_without_services(mts: Run) -> None:
    text = mts(cli.status).output
    assert "operations  stopped" in text
    assert "halts     none (epoch 4)" in text
    assert "945,000 USD" in text
    found = json.loads(mts(cli.status, "--json").output)
    assert found["funds"][0]["fund_id"] == FUND


def test_doctor_finds_what_is_wrong(mts: Run, home: Path) -> None:
    found = {f["check"]: f for f in json.loads(mts(cli.doctor, "--json").output)["items"]}
    assert {f["verdict"] for f in found.values()} <= {"ok", "warn"}
    assert found["store"]["verdict"] == "ok"
    (home / "keys" / "audit.key").chmod(0o644)
    text = mts(cli.doctor, code=1).output
    assert "fail  keys" in text
    assert "chmod 600" in text
    (home / "keys" / "audit.key").chmod(0o600)
    (home / "mts.yaml").write_text("buss: {}\n")
    assert "fail  config" in mts(cli.doctor, code=1).output


def test_a_halt_under_broken_settings_is_told_as_in_force(mts: Run, home: Path) -> None:
    (home / "mts.yaml").write_text("buss: {}\n")
    halted = mts(cli.cmd, "halt", "--yes", "--reason", "fire drill", code=1)
    assert "HALTED firm" in halted.output
    assert isinstance(halted.exception, HaltUnaudited)
    assert HaltStore(home / "halt").state().active
    named = mts(cli.cmd, "halt", FUND, "--yes", "--reason", "fire drill", code=2)
    assert f"fund:{FUND}" in str(named.exception)


def test_halt_with_the_bus_down_is_local_durable_and_audited(mts: Run, home: Path) -> None:
    halted = mts(cli.cmd, "halt", "--yes", "--reason", "fire drill", "--json")
    assert json.loads(halted.output)["reached"] == "local"
    record = HaltStore(home / "halt")
    assert record.blocked(fund_id=FUND, strategy_id=STRATEGY, reduce_only=True) is not None
    assert "HALTED    firm: fire drill" in mts(cli.status).output
    refused = mts(cli.cmd, "resume", "--operator", "jane", code=5)
    assert isinstance(refused.exception, ResumeRefused)
    assert record.state().active
    mts(cli.cmd, "operator-key", "jane")
    alone = mts(cli.cmd, "resume", "--operator", "jane", "--reason", "drill over", code=5)
    assert "two operators" in str(alone.exception)
    twice = mts(cli.cmd, "resume", "--operator", "jane", "--cosigner", "jane", code=5)
    assert isinstance(twice.exception, ResumeRefused)
    assert record.state().active
    mts(cli.cmd, "operator-key", "bob")
    words = ("--operator", "jane", "--cosigner", "bob", "--reason", "drill over")
    assert "operator:bob" in mts(cli.cmd, "resume", *words).output
    assert not record.state().active
    mts(cli.cmd, "resume", "--operator", "jane", code=1)
    with AuditReader(home) as reader:
        trail = [(entry.action, entry.actor) for entry in reader.trail("firm")]
        assert reader.verify()[0] == reader.size
    assert trail[2:] == [
        ("halt_requested", "operator:terminal"),
        *[("halt_resume_refused", "operator:jane")] * 3,
        ("halt_resumed", "operator:jane"),
    ]


def test_two_operators_sign_one_after_the_other(mts: Run, home: Path, tmp_path: Path) -> None:
    mts(cli.cmd, "halt", "--yes", "--reason", "fire drill")
    for name in ("jane", "bob"):
        mts(cli.cmd, "operator-key", name)
    paper = tmp_path / "resume.json"
    mts(cli.cmd, "resume", "--operator", "jane", "--reason", "over", "--out", str(paper))
    record = HaltStore(home / "halt")
    assert record.state().active
    again = mts(cli.cmd, "cosign", str(paper), "--operator", "jane", code=5)
    assert isinstance(again.exception, ResumeRefused)
    forged = json.loads(paper.read_text()) | {"reason": "something else"}
    (tmp_path / "forged.json").write_text(json.dumps(forged))
    mts(cli.cmd, "cosign", str(tmp_path / "forged.json"), "--operator", "bob", code=5)
    assert record.state().active
    mts(cli.cmd, "cosign", str(paper), "--operator", "bob")
    assert not record.state().active
    mts(cli.cmd, "cosign", str(tmp_path / "absent.json"), "--operator", "bob", code=2)


@pytest.mark.parametrize("scope", ["venue:paper", "symbol:SPX"])
def test_halt_of_a_venue_or_symbol(mts: Run, home: Path, scope: str) -> None:
    mts(cli.cmd, "halt", scope, "--yes", "--reason", "x")
    record = HaltStore(home / "halt")
    place = {"fund_id": "any", "strategy_id": "any", "reduce_only": False}
    assert record.blocked(**place, venue="paper", symbol="SPX") is not None
    assert record.blocked(**place, venue="other", symbol="NDX") is None
    mts(cli.cmd, "operator-key", "jane")
    mts(cli.cmd, "resume", scope, "--operator", "jane", "--reason", "over")
    assert record.blocked(**place, venue="paper", symbol="SPX") is None
    mts(cli.cmd, "halt", "venue:", "--yes", "--reason", "x", code=2)


def test_a_lost_halt_record_halts_everything(mts: Run, home: Path) -> None:
    mts(cli.cmd, "halt", STRATEGY, "--yes", "--reason", "x")
    (home / "halt" / "halts.json").unlink()
    record = HaltStore(home / "halt")
    stop = record.blocked(fund_id="any", strategy_id="any", reduce_only=True)
    assert stop is not None
    assert stop.scope == "firm"


def test_halt_of_a_fund_or_strategy_by_its_id(mts: Run, home: Path) -> None:
    mts(cli.cmd, "halt", STRATEGY, "--yes", "--reason", "x")
    mts(cli.cmd, "halt", FUND, "--yes", "--reason", "x")
    scopes = {halt.scope for halt in HaltStore(home / "halt").state().active}
    assert scopes == {f"strategy:{STRATEGY}", f"fund:{FUND}"}
    wrong = mts(cli.cmd, "halt", "nonsense", "--yes", "--reason", "x", code=2)
    assert isinstance(wrong.exception, BadSelection)


def test_nothing_happens_unconfirmed(mts: Run, home: Path) -> None:
    for arguments in (["halt"], ["cancel-all"], ["flatten-paper"], ["halt", "--yes"]):
        refused = mts(cli.cmd, *arguments, code=2)
        assert isinstance(refused.exception, NotConfirmed)
        assert "--reason" in str(refused.exception)
    assert not HaltStore(home / "halt").state().active


def test_commands_that_need_the_system_say_so(mts: Run) -> None:
    for arguments in (
        ["cancel-all", "--yes", "--reason", "x"],
        ["flatten-paper", "--yes", "--reason", "x"],
        ["restart-all"],
    ):
        refused = mts(cli.cmd, *arguments, code=4)
        assert isinstance(refused.exception, NothingRuns)


def test_watchdogs_are_shown_tuned_and_paused(mts: Run) -> None:
    assert "portfolio_vol_dd" in mts(cli.app, "watchdog", "status").output
    mts(cli.app, "watchdog", "config", "--watchdog", "vol_dd", "--threshold", "1.25")
    mts(cli.app, "watchdog", "pause", "--watchdog", "position_anomaly", "--minutes", "5")
    told = json.loads(mts(cli.app, "watchdog", "status", "--json").output)
    found = {f["name"]: f for f in told["items"]}
    assert found["portfolio_vol_dd"]["threshold"] == 1.25
    assert found["position_anomaly"]["paused_until"] is not None
    assert found["predictive_health"]["paused_until"] is None
    refused = mts(cli.app, "watchdog", "pause", "--watchdog", "vpin", code=2)
    assert "no watchdog 'vpin'" in str(refused.exception)
    tail = json.loads(mts(cli.app, "audit", "tail", "-n", "2", "--json").output)["items"]
    assert [entry["action"] for entry in tail] == ["watchdog_config", "watchdog_pause"]


@pytest.mark.parametrize("value", ["nan", "inf", "-1"])
def test_a_threshold_is_a_number_of_zero_or_more(mts: Run, value: str) -> None:
    mts(cli.app, "watchdog", "config", "--watchdog", "vol_dd", "--threshold", value, code=2)
    told = json.loads(mts(cli.app, "watchdog", "status", "--json").output)
    found = {f["name"]: f for f in told["items"]}
    assert found["portfolio_vol_dd"]["threshold"] == 1.5


@pytest.mark.parametrize("name", ["../x", "Ada L", "", ".", "a" * 65])
@pytest.mark.parametrize("command", ["operator-key", "signal-key"])
def test_an_operator_and_a_source_are_called_what_a_file_can_be(
    mts: Run, home: Path, command: str, name: str
) -> None:
    before = set((home / "keys").iterdir())
    refused = mts(cli.cmd, command, name, code=2)
    assert isinstance(refused.exception, BadSelection)
    assert set((home / "keys").iterdir()) == before


def test_a_store_that_is_being_made_is_none_yet(tmp_path: Path) -> None:
    (tmp_path / "db").mkdir()
    (tmp_path / "db" / "operations.sqlite").touch()
    runner = CliRunner(env={"MTS_HOME": str(tmp_path)})
    found = runner.invoke(cli.status, ["--json"])
    assert (found.exit_code, json.loads(found.output)["store"]) == (0, "none yet")


def test_a_halt_says_at_once_that_it_is_in_force_and_status_what_passes(mts: Run) -> None:
    halted = mts(cli.cmd, "halt", FUND, "--reduce-only", "--yes", "--reason", "x")
    assert f"fund:{FUND} is halted from now on" in halted.stderr
    as_json = mts(cli.cmd, "halt", STRATEGY, "--yes", "--reason", "x", "--json")
    assert "halted from now on" not in as_json.stderr
    shown = mts(cli.status).output.splitlines()
    (fund,) = [line for line in shown if line.startswith(f"HALTED    fund:{FUND}")]
    (strategy,) = [line for line in shown if line.startswith("HALTED    strategy:")]
    assert "but for reduce-only orders" in fund
    assert "reduce-only" not in strategy


def test_an_empty_home_is_told_what_to_do(tmp_path: Path) -> None:
    runner = CliRunner(env={"MTS_HOME": str(tmp_path)})
    for group, arguments in ((cli.why, ["x"]), (cli.app, ["audit", "verify"])):
        error = runner.invoke(group, arguments).exception
        assert isinstance(error, AuditUnavailable)
        assert int(error.exit_code) == 4
    assert runner.invoke(cli.status, []).exit_code == 0
