"""Where a document shows the layer table, it shows this one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tools.contracts.layers import LAYERS

ROW = re.compile(
    r"^\|\s*(\d+)\s*\|\s*`?\[?`?(mts1b-[\w-]+)`?.*?\|\s*`?(mts1b_\w+)`?\s*\|", re.MULTILINE
)


def _shown(page: Path) -> set[tuple[int, str, str]]:
    rows = ROW.findall(page.read_text(encoding="utf-8"))
    return {(int(layer), distribution, name) for layer, distribution, name in rows}


PAGES = [
    page
    for root in [Path(__file__).resolve().parents[2]]
    for page in [root / "README.md", *sorted((root / "docs").glob("*.md"))]
    if page.exists() and _shown(page)
]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_page_shows_the_layer_table(page: Path) -> None:
    listed = {(row.layer, row.distribution, row.import_name) for row in LAYERS}
    assert _shown(page) == listed


def test_the_table_is_found_in_its_usual_form(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("| 5 | `mts1b-oms` | `mts1b_oms` | owning every order |\n")
    assert _shown(page) == {(5, "mts1b-oms", "mts1b_oms")}
