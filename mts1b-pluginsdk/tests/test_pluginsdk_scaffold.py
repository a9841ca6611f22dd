"""A new plugin is whole and its tests pass, or there is nothing."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from mts1b_pluginsdk import NameRefused, PluginKind, PluginName, TargetInTheWay, create_plugin
from mts1b_pluginsdk.conformance import BROKER_CARDS

CLIENT = Path("src/acme/client.py")
EXCHANGE = Path("src/acme/exchange.py")


@pytest.fixture
def acme(tmp_path: Path) -> Path:
    """A new broker called acme."""
    return create_plugin(PluginKind.BROKER, "acme", out=tmp_path).folder


def _run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": "src", "PYTHONDONTWRITEBYTECODE": "1"}
    environment.pop("PYTEST_ADDOPTS", None)
    environment["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # pytest alone is enough
    return subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def _pytest(folder: Path) -> subprocess.CompletedProcess[str]:
    return _run(folder, "-m", "pytest", "-q", "-rf", "-p", "no:cacheprovider")


def test_the_generated_tests_pass(acme: Path) -> None:
    done = _pytest(acme)
    assert done.returncode == 0, done.stdout + done.stderr
    told = re.search(r"(\d+) passed, (\d+) skipped", done.stdout)
    assert told is not None, done.stdout
    assert int(told[1]) + int(told[2]) == len(BROKER_CARDS) + 14
    assert int(told[1]) > 80


@pytest.mark.parametrize(
    ("file", "right", "wrong", "told"),
    [
        (EXCHANGE, "if known is not None:", "if known is None and order is None:", "B03-"),
        (EXCHANGE, "            submitted_at=now,\n", "", "B05-"),
        (EXCHANGE, "self._put(order, status=OrderStatus.CANCELED)", "pass", "B06-"),
        (CLIENT, "return self._exchange.cancel(order_id)", "return True", "B07-"),
        (
            EXCHANGE,
            "venue=self.venue,",
            'venue=self.venue,\n            fee_currency="EUR",',
            "B08",
        ),
        (EXCHANGE, "fill.signed_quantity * price + fees", "fill.signed_quantity * price", "B09-"),
        (CLIENT, "match(bars)\n        await self._tell()", "match(bars)", "B10-"),
        (CLIENT, "fills[self._place(cursor) :]", "fills[self._place(None) :]", "B11-"),
        (EXCHANGE, "self.quantity += quantity", "self.quantity += abs(quantity)", "B13-"),
        (CLIENT, "return self._exchange.orders.get(idempotency_key)", "return None", "B14-"),
        (EXCHANGE, "self._require_same(order, known)\n", "known = order\n", "B04-"),
        (EXCHANGE, "if last is not None and bar", "if last is None and bar", "same_bar"),
    ],
)
def test_a_planted_defect_fails_the_generated_tests(
    acme: Path, file: Path, right: str, wrong: str, told: str
) -> None:
    text = (acme / file).read_text()
    assert text.count(right) == 1
    (acme / file).write_text(text.replace(right, wrong))
    done = _pytest(acme)
    assert done.returncode == 1, done.stdout + done.stderr
    assert told in done.stdout


@pytest.mark.parametrize("name", ["acme", "zz9_broker", "a" * 20 + "-" + "b" * 11])
def test_the_generated_code_is_clean(name: str, tmp_path: Path) -> None:
    pytest.importorskip("ruff")
    folder = create_plugin(PluginKind.BROKER, name, out=tmp_path).folder
    for words in (("check", "--no-cache", "."), ("format", "--no-cache", "--check", ".")):
        done = _run(folder, "-m", "ruff", *words)
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_generated_project_offers_the_broker(acme: Path) -> None:
    project = tomllib.loads((acme / "pyproject.toml").read_text())
    assert project["project"]["entry-points"]["mts1b.brokers"] == {"acme": "acme:create"}
    assert project["tool"]["uv"]["build-backend"]["module-name"] == "acme"
    assert (acme / "src/acme/py.typed").exists()
    assert (acme / ".gitignore").exists()


def test_no_word_of_the_templates_is_left(acme: Path) -> None:
    for path in acme.rglob("*"):
        assert "MODULE" not in path.name
        assert not path.name.endswith(".j2")
        assert path.is_dir() or "{{" not in path.read_text()


@pytest.mark.parametrize(
    ("text", "module", "camel"),
    [("acme", "acme", "Acme"), ("my-broker", "my_broker", "MyBroker"), ("x_9", "x_9", "X9")],
)
def test_a_name_has_every_spelling(text: str, module: str, camel: str) -> None:
    name = PluginName.parse(text)
    assert (name.module, name.camel) == (module, camel)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "lower-case"),
        ("Acme", "lower-case"),
        ("9lives", "lower-case"),
        ("a b", "lower-case"),
        ("../acme", "lower-case"),
        ("acme-", "lower-case"),
        ("acme\n", "lower-case"),
        ("x" * 33, "at most 32"),
        ("mts1b-oms", "MTS1B itself"),
        ("mts1b_oms_algos", "MTS1B itself"),
        ("oms", "MTS1B itself"),
        ("class", "word of Python"),
        ("json", "standard library"),
        ("typer", "installed here"),
        ("paper", "taken"),
    ],
)
def test_a_bad_name_is_refused_and_nothing_is_written(text: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(NameRefused, match=told):
        create_plugin(PluginKind.BROKER, text, out=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_with_something_in_it_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "acme").mkdir()
    (tmp_path / "acme" / "mine.txt").write_text("keep")
    with pytest.raises(TargetInTheWay, match="not empty"):
        create_plugin(PluginKind.BROKER, "acme", out=tmp_path)
    assert [path.name for path in tmp_path.rglob("*")] == ["acme", "mine.txt"]


def test_an_empty_folder_is_used(tmp_path: Path) -> None:
    (tmp_path / "acme").mkdir()
    made = create_plugin(PluginKind.BROKER, "acme", out=tmp_path)
    assert (made.folder / "pyproject.toml").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["acme"]


def test_a_file_in_the_way_is_told(tmp_path: Path) -> None:
    (tmp_path / "acme").write_text("a file")
    with pytest.raises(TargetInTheWay, match="in the way"):
        create_plugin(PluginKind.BROKER, "acme", out=tmp_path)
    with pytest.raises(TargetInTheWay, match="--out"):
        create_plugin(PluginKind.BROKER, "other", out=tmp_path / "acme")
    assert (tmp_path / "acme").read_text() == "a file"


_ON_A_FULL_DISK = """
import resource
import sys
from pathlib import Path
from mts1b_pluginsdk import PluginKind, TargetInTheWay, create_plugin

resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
try:
    create_plugin(PluginKind.BROKER, "acme", out=Path.cwd())
except TargetInTheWay as error:
    sys.exit(str(error))
"""


def test_a_write_that_fails_half_way_leaves_nothing(tmp_path: Path) -> None:
    done = _run(tmp_path, "-c", _ON_A_FULL_DISK)
    assert done.returncode == 1
    assert "can not write" in done.stderr
    assert "--out" in done.stderr
    assert list(tmp_path.iterdir()) == []
