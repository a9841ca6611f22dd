"""The command line tells a broken contract from one that can not be read."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mts1b_pluginsdk import PluginKind, create_plugin

from tools.contracts.__main__ import main

Plant = Callable[..., Any]


def _plugin(folder: Path, text: str) -> Path:
    source = folder / "src" / "acme_venue"
    source.mkdir(parents=True)
    (source / "__init__.py").write_text(text)
    (folder / "pyproject.toml").write_text('[project]\nname = "acme-venue"\ndependencies = []\n')
    return folder


def test_a_clean_plugin_exits_0(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--plugin", str(_plugin(tmp_path, "x = 1\n"))]) == 0
    assert capsys.readouterr().out.startswith("contracts hold:")


def test_a_broken_plugin_exits_1_with_place_rule_and_remedy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = _plugin(tmp_path, "import time\nx = time.time()\n")
    assert main(["--plugin", str(folder)]) == 1
    first, last = capsys.readouterr().out.splitlines()
    assert first.startswith("src/acme_venue/__init__.py:2: [injected-seams] acme_venue reads time")
    assert "Remedy: take a Clock" in first
    assert last.startswith("contracts broken: 1 violations")


@pytest.mark.parametrize("place", ["src/acme", "acme", "src/other_name"])
def test_a_plugin_may_lie_where_its_author_put_it(
    place: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / place).mkdir(parents=True)
    (tmp_path / place / "__init__.py").write_text("import time\nx = time.time()\n")
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "acme"\n')
    assert main(["--plugin", str(tmp_path)]) == 1
    assert f"{place}/__init__.py:2: [injected-seams]" in capsys.readouterr().out


def test_a_plugin_without_code_is_malformed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "acme"\n')
    (tmp_path / "acme.py").write_text("x = 1\n")
    assert main(["--plugin", str(tmp_path)]) == 2
    assert "Lay the code of acme into src/acme" in capsys.readouterr().err


def test_a_generated_plugin_holds_every_contract(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = create_plugin(PluginKind.BROKER, "contractcorp", out=tmp_path).folder
    assert main(["--plugin", str(folder)]) == 0, capsys.readouterr().out


def test_json_holds_every_field(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = _plugin(tmp_path, "try:\n    pass\nexcept Exception:\n    pass\n")
    assert main(["--json", "--plugin", str(folder)]) == 1
    answer = json.loads(capsys.readouterr().out)
    (violation,) = answer["violations"]
    assert answer["status"] == "broken"
    assert (violation["file"], violation["line"]) == ("src/acme_venue/__init__.py", 3)
    assert set(violation) == {"file", "line", "rule", "message", "remedy"}


@pytest.mark.parametrize("text", ["def broken(:\n", "x = 1  # seam-ok\n"])
def test_what_can_not_be_read_exits_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    assert main(["--plugin", str(_plugin(tmp_path, text))]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("contracts malformed: src/acme_venue/__init__.py:1")


def test_a_root_without_packages_exits_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--json", "--root", str(tmp_path)]) == 2
    assert json.loads(capsys.readouterr().out)["status"] == "malformed"


def test_a_planted_workspace_is_read_from_its_root(
    plant: Plant, capsys: pytest.CaptureFixture[str]
) -> None:
    planted = plant({"mts1b_datalake/reader.py": "import mts1b_oms  # <-\n"})
    assert main(["--root", str(planted.root)]) == 1
    assert "mts1b-datalake/src/mts1b_datalake/reader.py:1: [import-direction]" in (
        capsys.readouterr().out
    )


def test_the_list_names_every_rule(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 11
    assert all(line.endswith(".") for line in lines)
