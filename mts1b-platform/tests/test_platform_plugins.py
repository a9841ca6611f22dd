"""Plugins: listed without importing, loaded by name, blamed by group and name when broken."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from mts1b_platform.config import Settings
from mts1b_platform.plugins import (
    PluginBroken,
    PluginMissing,
    load_plugin,
    plugin_names,
    refusal_of,
    require_plugin,
    warnings_of,
)

GROUP = "mts1b.test_things"


def install(site: Path, name: str, points: dict[str, str], *, group: str = GROUP) -> None:
    """Put a distribution on the path, as an installer would."""
    info = site / f"{name.replace('-', '_')}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\nSummary: The {name} things.\n"
    )
    lines = [f"{key} = {value}" for key, value in points.items()]
    (info / "entry_points.txt").write_text("\n".join([f"[{group}]", *lines, ""]))


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Path]:
    sys.path.insert(0, str(tmp_path))
    before = set(sys.modules)
    yield tmp_path
    sys.path.remove(str(tmp_path))
    for module in set(sys.modules) - before:
        del sys.modules[module]


def test_names_are_listed_without_importing(site: Path) -> None:
    (site / "explodes_a.py").write_text("raise SystemError('imported')")
    install(site, "pack-a", {"one": "explodes_a:thing", "two": "explodes_a:other"})
    assert plugin_names(GROUP) == ["one", "two"]
    require_plugin(GROUP, "one")


def test_one_is_loaded_by_name(site: Path) -> None:
    (site / "works_b.py").write_text("thing = 42")
    install(site, "pack-b", {"one": "works_b:thing"})
    assert load_plugin(GROUP, "one") == 42


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("raise SystemError('boom')", "SystemError: boom"),
        ("import sys; sys.exit('bye')", "SystemExit: bye"),
        ("import no_such_module_x", "no_such_module_x"),
        ("x = ", "SyntaxError"),
        ("other = 1", "has no attribute 'thing'"),
    ],
)
def test_a_broken_one_names_group_name_and_cause(site: Path, source: str, told: str) -> None:
    (site / "broken_c.py").write_text(source)
    install(site, "pack-c", {"one": "broken_c:thing"})
    with pytest.raises(PluginBroken, match=rf"{GROUP}: 'one' \(broken_c:thing\)") as caught:
        load_plugin(GROUP, "one")
    assert told in str(caught.value)


def test_a_missing_one_lists_what_is_there(site: Path) -> None:
    install(site, "pack-d", {"one": "x:y"})
    with pytest.raises(PluginMissing, match="installed: one"):
        load_plugin(GROUP, "two")
    with pytest.raises(PluginMissing, match="installed: nothing"):
        load_plugin("mts1b.no_such_group", "two")


def test_two_packages_of_one_name_are_refused(site: Path) -> None:
    install(site, "pack-e", {"one": "e:x"})
    install(site, "pack-f", {"one": "f:x"})
    with pytest.raises(PluginBroken, match="two packages offer 'one': e:x, f:x"):
        load_plugin(GROUP, "one")


def test_a_distribution_seen_twice_is_one(site: Path) -> None:
    (site / "works_g.py").write_text("thing = 1")
    install(site, "pack-g", {"one": "works_g:thing"})
    install(site, "pack-g-again", {"one": "works_g:thing"})
    assert load_plugin(GROUP, "one") == 1


def test_what_a_check_finds_odd_is_told_and_refuses_nothing(site: Path) -> None:
    (site / "odd_e.py").write_text("def check(settings):\n    return [f'{settings.mode} is odd']\n")
    (site / "plain_e.py").write_text("def check(settings):\n    return 'said of nothing'\n")
    group = {"odd": "odd_e:check", "plain": "plain_e:check"}
    install(site, "pack-e", group, group="mts1b.checks")
    lines = warnings_of(Settings())
    assert lines == [f"{Settings().mode} is odd"]  # and the letters of a text are no lines
    assert refusal_of(Settings()) is None
