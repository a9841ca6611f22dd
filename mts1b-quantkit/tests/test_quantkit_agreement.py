"""The page of agreement speaks of functions that exist, and installed peers still agree."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tools.agreement import papers
from tools.agreement.comparison import EXACT, Comparison, difference
from tools.agreement.page import PAGE, installed, measure, public_functions, render, simulated

ROOT = Path(__file__).resolve().parents[2]
ROW = re.compile(
    r"^\| `(?P<name>[\w.]+)` \| [^|]*: `(?P<theirs>[^`]*)` \| (?P<seen>\S+) \| (?P<limit>\S+) \|"
)


def rows_of(text: str) -> dict[tuple[str, str], tuple[float, float]]:
    """Return difference and limit by function and the peer's name for it."""
    found = [row for line in text.splitlines() if (row := ROW.match(line))]
    return {
        (row["name"], row["theirs"]): (float(row["seen"]), float(row["limit"])) for row in found
    }


def test_the_page_names_functions_that_exist_and_keeps_its_limits() -> None:
    text = (ROOT / PAGE).read_text(encoding="utf-8")
    rows = rows_of(text)
    assert len(rows) > 100
    assert {name for name, _ in rows} - public_functions() - {
        "cv.WalkForward",
        "cv.CombinatorialPurgedKFold",
    } == set()
    assert all(seen <= limit for seen, limit in rows.values())
    alone = text.partition("## Without a peer")[2]
    unspoken = {name for name in public_functions() if f"`{name}`" not in text}
    assert unspoken == set()
    assert not {name for name, _ in rows if f"`{name}`" in alone}


def test_installed_peers_are_on_the_page_with_the_same_limits() -> None:
    rows = rows_of((ROOT / PAGE).read_text(encoding="utf-8"))
    for _, module in installed():
        for one in module.COMPARISONS:
            assert rows[one.function, one.theirs][1] == pytest.approx(one.limit)


@pytest.mark.parametrize("seed", [11, 12])
def test_installed_peers_still_agree(seed: int) -> None:
    seen = measure(simulated(seed=seed))
    assert len(seen) > 20
    beyond = {row.comparison.theirs: row.seen for row in seen if row.seen > row.comparison.limit}
    assert beyond == {}


def test_a_planted_difference_is_told() -> None:
    data = simulated(rows=50)
    off = Comparison("x", "y", lambda d: d.values * (1 + 1e-6), lambda d: d.values)
    assert difference(off, data) == pytest.approx(1e-6, rel=1e-3)
    assert difference(replace(off, ours=lambda d: d.values), data) == 0.0
    holed = replace(off, ours=lambda d: np.where(d.values > 0, d.values, np.nan))
    assert difference(holed, data) > EXACT
    with pytest.raises(ValueError, match="shapes"):
        difference(replace(off, ours=lambda d: d.values[1:]), data)


def test_the_page_is_made_of_what_was_seen() -> None:
    data = simulated(rows=300)
    seen = measure(data)
    assert set(rows_of(render(data, seen))) == {
        (row.comparison.function, row.comparison.theirs) for row in seen
    }


def without_units(page: str) -> list[str]:
    """Return the page without the column that is computed."""
    column = re.compile(r"\| [\d.]+ (\| [\d.]+ \| [^|]+ \|)$")
    return [column.sub(r"\1", line) for line in page.splitlines()]


def test_the_page_of_printed_numbers_is_current() -> None:
    text = (ROOT / papers.PAGE).read_text(encoding="utf-8")
    assert without_units(text) == without_units(papers.render())
    assert {row.function for row in papers.PRINTED} - public_functions() == {
        "cv.CombinatorialPurgedKFold",
        "risk.GarchParameters",
        "microstructure.Cusum",
        "microstructure.EwmaChart",
    }


@pytest.mark.parametrize("row", papers.PRINTED, ids=lambda row: f"{row.source}, {row.what}")
def test_printed_numbers_are_computed(row: papers.Printed) -> None:
    assert papers.units_off(row) <= row.limit


def test_a_planted_misprint_is_told() -> None:
    row = papers.PRINTED[0]
    assert papers.units_off(replace(row, printed=row.printed.replace("7.59", "7.49"))) > 9
    with pytest.raises(ValueError, match="printed"):
        papers.units_off(replace(row, printed="1.0"))
