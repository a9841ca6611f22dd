"""Every changelog fragment is named so that a release can place it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tools.contracts.layers import LAYERS

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = {"workspace"} | {row.distribution.removeprefix("mts1b-") for row in LAYERS}
NAME = re.compile(
    r"^(?P<package>[\w-]+)\.[\w-]+\.(added|changed|fixed|removed|security|breaking)\.md$"
)


def _well_named(name: str) -> bool:
    found = NAME.match(name)
    return found is not None and found["package"] in PACKAGES


def test_fragments_are_well_named() -> None:
    fragments = [path.name for path in (ROOT / "changelog.d").glob("*") if path.name != "README.md"]
    assert [name for name in fragments if not _well_named(name)] == []


@pytest.mark.parametrize("name", ["oms.added.md", "treasury.a.added.md", "oms.a.new.md"])
def test_a_badly_named_fragment_is_told(name: str) -> None:
    assert not _well_named(name)
