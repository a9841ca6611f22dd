"""A real system is taken flat by one command: halted, cancelled, closed through risk."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from mts1b_foundation import Symbol
from mts1b_operations.audit import AuditReader
from mts1b_operations.go_flat import DOMAIN, FlattenAct
from mts1b_platform.exit_codes import ExitCode
from mts1b_platform.halt import HaltStore
from mts1b_platform.operators import prove_act
from mts1b_platform.rng import SystemRng
from mts1b_platform.signing import KeyRing

from tests.integration.live_home import live_settings, publish_bar, system_up, write_home
from tests.integration.replay_home import mts

SPX, IXIC = Symbol("SPX"), Symbol("IXIC")
SETTINGS = live_settings({"strategy_id": "s1", "kind": "risk_parity", "symbols": ["SPX", "IXIC"]})
SIGNED = ("--operator", "ann", "--yes", "--reason", "drill")


def told(home: Path, *words: str, code: int = 0) -> dict[str, Any]:
    done = mts(home, *words, "--json", check=False)
    found: dict[str, Any] = json.loads(done.stdout)
    assert (done.returncode, found["exit_code"]) == (code, code), done.stdout
    return found


def submit(home: Path, key: str, symbol: str, *more: str, code: int = 0) -> dict[str, Any]:
    order = ("--symbol", symbol, "--fund", "f1", "--strategy", "s1", "--operator", "ann")
    return told(home, "oms", "submit", *order, "--key", key, *more, code=code)


def held(home: Path) -> dict[str, Decimal]:
    rows = told(home, "oms", "positions")["items"]
    found = {row["symbol"]: Decimal(row["quantity"]) for row in rows}
    return {symbol: quantity for symbol, quantity in found.items() if quantity}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    write_home(home, SETTINGS)
    return home


async def test_flatten_closes_what_is_held_and_nothing_else(home: Path) -> None:
    async with system_up(home):
        for symbol in (SPX, IXIC):
            await publish_bar(home, symbol)
        submit(home, "k1", "SPX", "--side", "buy", "--quantity", "100")
        submit(home, "k2", "IXIC", "--side", "buy", "--quantity", "50")
        before = held(home)
        assert before == {"SPX": 100, "IXIC": 50}

        shown = told(home, "cmd", "flatten", "--dry-run")
        assert shown["positions"] == {"f1/s1 SPX": "100", "f1/s1 IXIC": "50"}
        told(home, "cmd", "flatten", code=ExitCode.USAGE)
        told(home, "cmd", "flatten", *SIGNED, code=ExitCode.REFUSED)  # ann has no key yet
        assert held(home) == before
        assert not HaltStore(home / "halt").state().active

        mts(home, "cmd", "operator-key", "ann")
        one = told(home, "cmd", "flatten", "symbol:SPX", *SIGNED)
        assert [(o["side"], o["quantity"], o["reduce_only"]) for o in one["orders"]] == [
            ("sell", "100", True)
        ]
        assert held(home) == {"IXIC": 50}
        again = told(home, "cmd", "flatten", "symbol:SPX", *SIGNED)
        assert (again["orders"], again["halt_id"]) == ([], one["halt_id"])

        denied = submit(home, "k3", "SPX", "--side", "buy", "--quantity", "1", code=5)
        assert "SYMBOL_HALTED" in denied["message"]
        firm = told(home, "cmd", "flatten", *SIGNED)
        assert (len(firm["orders"]), firm["left"], held(home)) == (1, [], {})
    with AuditReader(home) as reader:
        reader.verify()
        trail = [e for e in reader.trail("symbol:SPX") if e.action.startswith("operator_flatten")]
        orders = [e for e in reader.trail(one["orders"][0]["order_id"]) if "approv" in e.action]
    assert [entry.action for entry in trail[:2]] == ["operator_flatten", "operator_flatten_done"]
    signed = {name: trail[0].data[name] for name in FlattenAct.model_fields}
    prove_act(KeyRing(home / "keys", SystemRng()), DOMAIN, FlattenAct.model_validate(signed))
    assert trail[1].data["order_ids"] == [one["orders"][0]["order_id"]]
    assert orders, "the closing order has no approval of risk"


async def test_flatten_says_what_is_left_and_why(home: Path) -> None:
    async with system_up(home):
        await publish_bar(home, SPX)
        submit(home, "k1", "SPX", "--side", "buy", "--quantity", "100")
        mts(home, "cmd", "operator-key", "ann")
        mts(home, "cmd", "halt", "s1", "--yes", "--reason", "nothing may leave")
        left = told(home, "cmd", "flatten", "f1", *SIGNED, "--wait", "2", code=ExitCode.FAILED)
        assert left["orders"] == []
        assert left["left"][0]["position"] == "f1/s1 SPX"
        assert "strategy:s1 is halted, not even reduce-only" in left["left"][0]["why"]
        assert held(home) == {"SPX": 100}

        mts(home, "cmd", "resume", "s1", "--operator", "ann")  # f1 stays halted but for reducing
        halted = submit(home, "k2", "SPX", "--side", "buy", "--quantity", "1", code=5)
        assert "FUND_HALTED" in halted["message"]
        done = told(home, "cmd", "flatten", "f1", *SIGNED)
        assert (done["halt_id"], done["left"], held(home)) == (left["halt_id"], [], {})
    away = told(home, "cmd", "flatten", "f1", *SIGNED, code=ExitCode.UNAVAILABLE)
    assert "what is left of it is not known" in away["message"]
