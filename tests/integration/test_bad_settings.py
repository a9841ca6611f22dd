"""`mts config check` tells what is wrong by its key, with exit code 3 and without a traceback."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from mts1b_platform.cli import main
from mts1b_platform.exit_codes import ExitCode

from tests.integration.live_home import live_settings

RULE = {
    "strategy_id": "s1",
    "kind": "rule",
    "symbols": ["AAA"],
    "params": {"long_when": "close > 1"},
}
ENTRY = {"symbol": "AAA", "asset_class": "equities"}
Check = Callable[[dict[str, Any]], tuple[object, str]]


@pytest.fixture
def check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Check:
    """Return what ``mts config check`` says of settings that differ from right ones."""
    monkeypatch.setenv("MTS_HOME", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["mts", "config", "check"])

    def told(changes: dict[str, Any]) -> tuple[object, str]:
        (tmp_path / "mts.yaml").write_text(yaml.safe_dump(live_settings(RULE) | changes))
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return ended.value.code, said.out + said.err

    return told


def fund(**changes: Any) -> dict[str, Any]:
    """Return the funds with one that differs; ``envelope__x`` is of its envelope."""
    (entry,) = live_settings(RULE)["funds"]
    parts = {"fund": dict(entry["fund"]), "envelope": dict(entry["envelope"])}
    for name, value in changes.items():
        part, _, field = name.rpartition("__")
        parts[part or "fund"][field] = value
    return {"funds": [parts]}


def strategy(**changes: Any) -> dict[str, Any]:
    return {"strategies": [RULE | {"fund_id": "f1"} | changes]}


def test_right_settings_are_right(check: Check) -> None:
    code, said = check({"instruments": [ENTRY | {"sector": "tools"}]})
    assert code == ExitCode.OK
    assert "are right" in said


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"instruments": [ENTRY | {"multiplier": 50}]}, "instruments.0.multiplier"),
        ({"instruments": [ENTRY | {"currency": "EUR"}]}, "instruments.0.currency"),
        ({"instruments": [ENTRY | {"session": "NYSE?"}]}, "instruments.0.session"),
        ({"instruments": [ENTRY | {"lot_size": 10}]}, "instruments.0.lot_size"),
        ({"instruments": [ENTRY, ENTRY]}, "instruments.1.symbol"),
        (fund(base_currency="JPY"), "funds.0.fund.base_currency"),
        (fund(broker_account_id="U1"), "funds.0.fund.broker_account_id"),
        (fund(asset_classes=["crypto"]), "strategies.0.symbols.0"),
        (fund(strategies=["other"]), "strategies.0.strategy_id"),
        (fund(target_nav_usd="NaN"), "funds.0.fund.target_nav_usd"),
        (fund(envelope__daily_loss_halt_pct=True), "funds.0.envelope.daily_loss_halt_pct"),
        (fund(envelope__version=10**30), "funds.0.envelope.version"),
        (fund(envelope__synthetic_stop_pct=0.02), "funds.0.envelope.synthetic_stop_pct"),
        (strategy(symbols=["AAA", "AAA"]), "strategies.0.symbols.1"),
        (strategy(symbols=["ES@202612"]), "strategies.0.symbols.0"),
        (strategy(symbols=["EUR-JPY"]), "strategies.0.symbols.0"),
        (strategy(params=RULE["params"] | {"capital_fraction": "half"}), "capital_fraction"),
        ({"watchdogs": {"vpn": {}}}, "watchdogs.vpn"),
        ({"watchdogs": {"db_watchdog": {"params": {"x": 1}}}}, "watchdogs.db_watchdog.params.x"),
        ({"limits": {"reducing_funds": ["f2"]}}, "limits.reducing_funds"),
        ({"limits": {"symbols": {"BBB": {}}}}, "limits.symbols"),
        ({"limits": {"block_ttl_s": float("inf")}}, "limits.block_ttl_s"),
        ({"replay": {"start": 2000}}, "replay.start"),
        ({"venue": {"address": "nowhere"}}, "venue.address"),
        ({"bus": {"url": "here"}}, "bus.url"),
        ({"store": {"url_template": "sqlite:///x"}}, "store.url_template"),
        ({"operator": {"script": True}}, "operator.script"),
    ],
)
def test_what_is_wrong_is_told_by_its_key(check: Check, changes: dict[str, Any], key: str) -> None:
    code, said = check(changes)
    assert (code, key in said) == (ExitCode.CONFIGURATION, True), said
    assert "Traceback" not in said
    assert len(said.strip().splitlines()) == 1
