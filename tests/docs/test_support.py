"""The versions that a README names are those that its package asks for."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = sorted(path.parent for path in ROOT.glob("mts1b-*/pyproject.toml"))
VERSION = re.compile(r"(\d+(?:\.\d+)*) and (?:later|newer)")
BOUND = re.compile(r"(?P<name>[A-Za-z0-9._-]+)(?:\[[^\]]*\])?>=(?P<least>[\d.]+)")


def _bounds(package: Path) -> dict[str, str]:
    project = tomllib.loads((package / "pyproject.toml").read_text())["project"]
    extras = project.get("optional-dependencies", {}).values()
    needed = [*project["dependencies"], *(one for extra in extras for one in extra)]
    found = (BOUND.match(text) for text in needed)
    bounds = {one["name"].lower(): one["least"] for one in found if one is not None}
    return bounds | {"python": project["requires-python"].removeprefix(">=")}


def _named(text: str) -> Iterator[tuple[str, str]]:
    """Yield (name, version) of every ``1.2 and later``: in a row of its own, or below its name."""
    head: list[str] = []
    for line in text.splitlines():
        cells = [cell.strip().lower() for cell in line.strip("|").split("|")]
        if not line.startswith("|") or set(line) <= set("|-: "):
            head = head if line.startswith("|") else []
            continue
        versions = [VERSION.fullmatch(cell) for cell in cells]
        if len(cells) == 2 and versions[0] is None and versions[1] is not None:
            yield cells[0], versions[1][1]
        elif head:
            named = zip(head, versions, strict=False)
            yield from ((name, found[1]) for name, found in named if found is not None)
        head = head or cells


def _is_below(said: str, bound: str) -> bool:
    """Tell whether a version that a page names is older than the one that is asked for."""
    mine, theirs = ([int(part) for part in text.split(".")] for text in (said, bound))
    return mine < theirs[: len(mine)]


@pytest.mark.parametrize("package", PACKAGES, ids=[one.name for one in PACKAGES])
def test_a_page_names_no_version_that_its_package_refuses(package: Path) -> None:
    bounds = _bounds(package)
    named = [*_named((package / "README.md").read_text())]
    older = [(name, said) for name, said in named if _is_below(said, bounds.get(name, said))]
    assert older == []


def test_versions_are_read_in_rows_and_below_their_names() -> None:
    rows = "| | |\n|---|---|\n| Python | 3.11 and later |\n| nats | 2.12 and later; found |\n"
    columns = "| Python | numpy |\n|---|---|\n| 3.11 and later | 1.26 and newer |\n"
    assert [*_named(rows)] == [("python", "3.11")]
    assert [*_named(columns)] == [("python", "3.11"), ("numpy", "1.26")]
    assert _is_below("1.11", "1.12")
    assert not _is_below("2.10", "2.10.6")
