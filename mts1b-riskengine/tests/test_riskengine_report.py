"""The controls report: complete, and the committed page is what the code says."""

import json
from pathlib import Path

import pytest
from mts1b_foundation import DenyCode
from mts1b_riskengine import GATE_TABLE
from mts1b_riskengine.cli import app
from mts1b_riskengine.report import CONTROLS, gates_of, render
from riskengine_limits import all_on, mandates
from typer.testing import CliRunner

PAGE = Path(__file__).parents[2] / "docs" / "risk-controls.md"
MINIMUM = {*range(1, 17), *range(18, 25), *range(27, 32)}
"""The pre-trade controls that a 1.0 must have."""


def test_the_page_is_what_the_code_says() -> None:
    assert PAGE.read_text() == render(), (
        "docs/risk-controls.md is stale: python -m mts1b_riskengine.report > docs/risk-controls.md"
    )


def test_every_control_of_the_minimum_has_a_gate() -> None:
    assert [number for number in sorted(MINIMUM) if not gates_of(number)] == []
    assert {number for card in GATE_TABLE for number in card.controls} <= set(CONTROLS)
    assert {n for n in CONTROLS if not gates_of(n)} == {25, 26}


def test_every_row_is_complete_and_no_code_stands_twice() -> None:
    for card in GATE_TABLE:
        assert all((card.asks, card.inputs, card.on_failure, card.source, card.controls)), card.gate
        assert set(card.soft) <= set(card.codes)
        assert all(code in set(DenyCode) for code in card.codes)
        assert "|" not in card.asks + card.inputs + card.on_failure + card.source


def test_the_report_says_what_is_on() -> None:
    everything = render(all_on(), mandates())
    assert "(off)" not in everything
    assert "| off |" not in everything
    assert render().count("| off |") == len(GATE_TABLE) - 7


def test_the_commands_print_table_and_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MTS_HOME", str(tmp_path))
    (tmp_path / "mts.yaml").write_text("limits: {collar_pct: '0.05'}\n")
    rows = json.loads(CliRunner().invoke(app, ["gates", "--json"]).output)["items"]
    assert [row["gate"] for row in rows] == [card.gate for card in GATE_TABLE]
    states = {row["gate"]: row["state"] for row in rows}
    assert (states["price_collar"], states["self_match"]) == ("on", "off")
    text = CliRunner().invoke(app, ["gates"]).output
    assert "price_collar (on, hard and soft)" in text
    page = CliRunner().invoke(app, ["report"]).output
    assert "`price_collar` (on)" in page
