"""The plugin kit and the brokers meet: our own paper venue passes, a new plugin fits in."""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime
from decimal import Decimal
from importlib import import_module
from pathlib import Path

import pytest
from mts1b_brokers import PaperClient
from mts1b_foundation.protocols import BrokerProtocol, SimulatedVenue
from mts1b_platform.clock import VirtualClock
from mts1b_platform.config import Settings
from mts1b_platform.ids import SequentialIds
from mts1b_pluginsdk import PluginKind, create_plugin
from mts1b_pluginsdk.conformance import BROKER_DUTIES, Verdict, check_broker

NOW = datetime(2024, 1, 2, 21, tzinfo=UTC)


def test_the_paper_venue_meets_every_duty(tmp_path: Path) -> None:
    report = asyncio.run(check_broker(lambda: PaperClient(home=tmp_path), subject="paper"))
    assert [one for one in report.results if one.verdict is not Verdict.PASSED] == []
    assert len(report.results) == len(BROKER_DUTIES)


def test_a_paper_venue_without_a_record_loses_all_at_a_restart() -> None:
    report = asyncio.run(check_broker(PaperClient))
    assert [one.number for one in report.failed] == ["B12"]


def test_a_new_broker_is_made_from_the_systems_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = create_plugin(PluginKind.BROKER, "fitcorp", out=tmp_path)
    monkeypatch.syspath_prepend(str(made.folder / "src"))
    settings = Settings.model_validate({"venue": {"initial_cash_usd": "2500"}})
    venue = import_module("fitcorp").create(
        settings, home=tmp_path, clock=VirtualClock(NOW), ids=SequentialIds()
    )
    for name in [name for name in sys.modules if name.split(".")[0] == "fitcorp"]:
        monkeypatch.delitem(sys.modules, name)
    assert isinstance(venue, BrokerProtocol)
    assert isinstance(venue, SimulatedVenue)
    account = asyncio.run(venue.account_snapshot())
    assert (account.cash_usd, account.as_of) == (Decimal(2500), NOW)
