"""The page of guarantees: fresh, whole, and naming only what exists."""

from __future__ import annotations

import importlib.util
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from tools.guarantees import PROMISES, SCENARIOS, render
from tools.guarantees.__main__ import main
from tools.guarantees.figures import read, record
from tools.guarantees.found import find
from tools.guarantees.page import PAGE

ROOT = Path(__file__).resolve().parents[2]
CATALOGUE = {
    "A": 15,
    "B": 12,
    "C": 11,
    "D": 10,
    "E": 12,
    "F": 6,
    "G": 10,
    "H": 8,
    "I": 2,
    "J": 5,
    "K": 4,
    "L": 4,
}


def test_the_page_is_what_tables_tests_and_figures_say() -> None:
    assert (ROOT / PAGE).read_text() == render(ROOT), (
        "docs/guarantees.md is stale: python -m tools.guarantees --write"
    )


def test_every_promise_and_every_scenario_has_its_row() -> None:
    assert [item.number for item in PROMISES] == list(range(1, 27))
    wanted = [f"{letter}{n}" for letter, count in CATALOGUE.items() for n in range(1, count + 1)]
    assert [item.id for item in SCENARIOS] == wanted
    assert len(wanted) == 99
    assert all(item.says and item.gaps and item.title for item in PROMISES)
    assert "|" not in "".join(item.fault for item in SCENARIOS)


def test_a_row_that_names_no_test_is_refused() -> None:
    bad = replace(PROMISES[0], tests=("test_oms_orders::test_that_nobody_wrote",))
    with pytest.raises(LookupError, match="test_that_nobody_wrote does not exist"):
        render(ROOT, promises=[bad])
    with pytest.raises(LookupError, match="does not exist"):
        render(ROOT, scenarios=[replace(SCENARIOS[0], tests=("test_nowhere::test_x",))])


def test_every_counter_is_counted_somewhere() -> None:
    found = find(ROOT)
    missing = [
        counter for item in SCENARIOS for counter in item.counters if not found.counts(counter)
    ]
    assert missing == []
    assert not found.counts("Z9 nobody counts this")


def test_every_command_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for command in (command for item in PROMISES for command in item.commands):
        words = command.split()
        if words[0] == "make":
            assert words[1] in targets, command
        else:
            assert words[:2] == ["python", "-m"], command
            assert importlib.util.find_spec(words[2]) is not None, command


def test_a_test_whose_name_carries_an_id_counts_by_itself() -> None:
    found = find(ROOT)
    assert any("test_h3_h5_" in name for name in found.of_scenario("H3"))
    assert any("test_h3_h5_" in name for name in found.of_scenario("H5"))
    assert Counter(found.of_scenario("H30")) == Counter()


def test_a_figure_is_kept_and_shown(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    record(tmp_path, "one", text="0 of 10", command="make one", measured="2026-01-02")
    record(tmp_path, "two", text="0 of 20", command="make two", measured="2026-01-03")
    record(tmp_path, "one", text="0 of 30", command="make one", measured="2026-01-04")
    kept = read(tmp_path)
    assert (kept["one"].text, kept["two"].measured) == ("0 of 30", "2026-01-03")
    promise = replace(PROMISES[0], tests=(), figures=("one", "missing"))
    page = render(tmp_path, promises=[promise], scenarios=[])
    assert "- 0 of 30 (`make one`, 2026-01-04)" in page
    with pytest.raises(ValueError, match="one line"):
        record(tmp_path, "bad", text="a\nb", command="make", measured="2026-01-02")


def test_the_command_writes_the_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "docs").mkdir()
    assert main(["--root", str(tmp_path)]) == 1
    assert "does not exist" in capsys.readouterr().err
    arguments = ["--root", str(tmp_path), "--figure", "x", "--text", "0 of 1", "--by", "make x"]
    assert main(arguments) == 0
    assert read(tmp_path)["x"].text == "0 of 1"
