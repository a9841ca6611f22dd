"""``mts plugin`` answers people and programs, with the documented exit codes."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from mts1b_pluginsdk import PluginKind, create_plugin
from mts1b_pluginsdk.cli import app
from typer.testing import CliRunner

RUNNER = CliRunner()


@pytest.fixture
def clicorp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """An importable broker; returns its module."""
    made = create_plugin(PluginKind.BROKER, "clicorp", out=tmp_path)
    monkeypatch.syspath_prepend(str(made.folder / "src"))
    for name in [name for name in sys.modules if name.split(".")[0] == "clicorp"]:
        monkeypatch.delitem(sys.modules, name)
    return "clicorp"


def test_new_says_what_it_made(tmp_path: Path) -> None:
    done = RUNNER.invoke(app, ["new", "broker", "acme", "--out", str(tmp_path)])
    assert done.exit_code == 0
    assert "created" in done.output
    assert (tmp_path / "acme" / "src" / "acme" / "client.py").exists()


def test_new_says_it_as_json(tmp_path: Path) -> None:
    done = RUNNER.invoke(app, ["new", "broker", "acme", "--out", str(tmp_path), "--json"])
    told = json.loads(done.stdout)
    assert (told["kind"], told["name"], told["module"]) == ("broker", "acme", "acme")
    assert all((Path(told["folder"]) / path).is_file() for path in told["files"])


@pytest.mark.parametrize("name", ["Acme", "mts1b-oms"])
def test_a_bad_name_is_a_usage_error(name: str, tmp_path: Path) -> None:
    done = RUNNER.invoke(app, ["new", "broker", name, "--out", str(tmp_path)])
    assert done.exit_code == 2
    assert name in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_taken_folder_is_a_usage_error(tmp_path: Path) -> None:
    words = ["new", "broker", "acme", "--out", str(tmp_path)]
    assert RUNNER.invoke(app, words).exit_code == 0
    assert RUNNER.invoke(app, words).exit_code == 2


def test_check_passes_a_new_broker(clicorp: str) -> None:
    done = RUNNER.invoke(app, ["check", "broker", f"{clicorp}.sandbox:connect"])
    assert done.exit_code == 0, done.output
    assert "all duties met" in done.output
    assert done.output.count("passed") == 14


def test_check_fails_a_broker_that_forgets(clicorp: str) -> None:
    factory = f"{clicorp}.exchange:Exchange"
    done = RUNNER.invoke(app, ["check", "broker", factory, "--patience", "0.05", "--json"])
    assert done.exit_code == 1
    told = json.loads(done.stdout)
    assert told["passed"] is False
    assert told["checks"][0]["verdict"] == "failed"


@pytest.mark.parametrize(
    ("factory", "told"),
    [
        ("no colon", "package.module:name"),
        ("no_such_module_here:connect", "installed"),
        ("json:no_such_name", "has no"),
        ("json:__name__", "not something to call"),
    ],
)
def test_a_factory_that_is_none_is_a_usage_error(factory: str, told: str) -> None:
    done = RUNNER.invoke(app, ["check", "broker", factory], terminal_width=200)
    assert done.exit_code == 2
    assert told in " ".join(done.stderr.replace("│", " ").split())


@pytest.mark.parametrize("source", ["raise RuntimeError('no licence')", "x = = 1", "x = {}['k']"])
def test_a_plugin_that_raises_at_import_is_told_so(
    source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "clibroken.py").write_text(source)
    monkeypatch.syspath_prepend(str(tmp_path))
    done = RUNNER.invoke(app, ["check", "broker", "clibroken:connect"], terminal_width=200)
    assert done.exit_code == 2
    assert "can not import clibroken: it raised" in " ".join(done.stderr.replace("│", " ").split())
