"""A broker is certified from the command line and from pytest, and both say the same."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from mts1b_pluginsdk import PluginKind, create_plugin
from mts1b_pluginsdk.cli import app
from mts1b_pluginsdk.conformance import BROKER_CARDS
from typer.testing import CliRunner

RUNNER = CliRunner()


@pytest.fixture
def certcorp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """An importable broker; returns the factory of its clients."""
    made = create_plugin(PluginKind.BROKER, "certcorp", out=tmp_path)
    monkeypatch.syspath_prepend(str(made.folder / "src"))
    for name in [name for name in sys.modules if name.split(".")[0] == "certcorp"]:
        monkeypatch.delitem(sys.modules, name)
    return "certcorp.sandbox:connect"


def _pytest(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": "src", "PYTHONDONTWRITEBYTECODE": "1"}
    environment.pop("PYTEST_ADDOPTS", None)
    environment["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    plugin = ("-p", "mts1b_pluginsdk.pytest_plugin", "-p", "no:cacheprovider")
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *plugin, *words],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_a_new_broker_is_certified(certcorp: str, tmp_path: Path) -> None:
    out = tmp_path / "certificate.json"
    done = RUNNER.invoke(app, ["certify", certcorp, "--out", str(out)])
    assert done.exit_code == 0, done.output
    told = json.loads(out.read_text())
    assert (told["broker"], told["passed"]) == ("certcorp", True)
    assert len(told["cards"]) == len(BROKER_CARDS) == sum(told["counts"].values())
    assert told["capabilities"]["dedupe"] == "permanent"
    assert told["offers"]["look-up of orders by key"] is True
    assert told["offers"]["replace"] is False
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", told["date"])
    skipped = [card for card in told["cards"] if card["verdict"] == "skipped"]
    assert skipped
    assert all(card["detail"] for card in skipped)
    page = out.with_suffix(".md").read_text()
    assert page.startswith("# certcorp conforms\n")
    assert page.count("| B") == len(BROKER_CARDS)
    assert told["digest"] in page


def test_a_changed_certificate_is_told_from_its_digest(certcorp: str) -> None:
    done = RUNNER.invoke(app, ["certify", certcorp, "--json"])
    told = json.loads(done.stdout)["certificate"]
    digest = told.pop("digest")
    text = json.dumps(told, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert digest == "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def test_a_broker_that_fails_is_not_certified(certcorp: str, tmp_path: Path) -> None:
    out = tmp_path / "certificate.json"
    factory = "certcorp.exchange:Exchange"
    words = ["certify", factory, "--patience", "0.05", "--out", str(out)]
    done = RUNNER.invoke(app, words)
    assert (done.exit_code, type(done.exception)) == (1, SystemExit)
    assert "failed" in done.stdout
    told = json.loads(out.read_text())
    assert (told["broker"], told["passed"], told["capabilities"]) == (factory, False, None)
    assert told["counts"]["failed"] > 14
    assert told["counts"]["passed"] == 0
    assert out.with_suffix(".md").read_text().startswith(f"# {factory} does not conform\n")


def test_a_place_that_can_not_be_written_is_a_usage_error(certcorp: str, tmp_path: Path) -> None:
    words = ["certify", certcorp, "--out", str(tmp_path / "none" / "certificate.json")]
    done = RUNNER.invoke(app, words)
    assert done.exit_code == 2


def test_the_page_beside_the_certificate_does_not_take_its_place(
    certcorp: str, tmp_path: Path
) -> None:
    done = RUNNER.invoke(app, ["certify", certcorp, "--out", str(tmp_path / "certificate.md")])
    assert done.exit_code == 2
    assert list(tmp_path.glob("certificate*")) == []


def test_cards_are_listed_with_purpose_and_source() -> None:
    done = RUNNER.invoke(app, ["cards"])
    assert done.exit_code == 0
    for card in BROKER_CARDS:
        assert card.title in done.stdout
        assert card.purpose in done.stdout
        assert card.source in done.stdout
    told = json.loads(RUNNER.invoke(app, ["cards", "--json", "--group", "cancel"]).stdout)["items"]
    assert {card["group"] for card in told} == {"cancel"}
    assert RUNNER.invoke(app, ["cards", "--group", "none"]).exit_code == 2


def test_pytest_runs_every_card(tmp_path: Path) -> None:
    folder = create_plugin(PluginKind.BROKER, "pytestcorp", out=tmp_path).folder
    done = _pytest(folder, "--mts-broker", "pytestcorp.sandbox:connect", "-vv", "-rs")
    assert done.returncode == 0, done.stdout + done.stderr
    seen = re.findall(r"test_card\[(B\d+)-\S*\] (PASSED|SKIPPED)", done.stdout)
    assert [number for number, _ in seen] == [card.number for card in BROKER_CARDS]
    assert "the venue does not offer memory of keys for a window" in done.stdout


_BOX = """
from pathlib import Path

from pytestcorp.exchange import Exchange


class Box:
    def __init__(self, broker):
        with Path(__file__).with_name("accounts").open("a") as made:
            made.write(".")
        self.broker, self.account = broker, Exchange()

    def connect(self):
        return self.broker(self.account)
"""


def test_pytest_tries_each_card_in_a_new_account_of_the_sandbox(tmp_path: Path) -> None:
    folder = create_plugin(PluginKind.BROKER, "pytestcorp", out=tmp_path).folder
    (folder / "src/pytestcorp/box.py").write_text(_BOX)
    broker = ("--mts-broker", "pytestcorp.client:PytestcorpBroker")
    sandbox = ("--mts-sandbox", "pytestcorp.box:Box")
    cards = "B03- or B12- or B13-"
    done = _pytest(folder, *broker, *sandbox, "-k", cards)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 passed" in done.stdout
    assert (folder / "src/pytestcorp/accounts").read_text() == "..."


def test_pytest_trades_what_the_venue_has(tmp_path: Path) -> None:
    folder = create_plugin(PluginKind.BROKER, "pytestcorp", out=tmp_path).folder
    client = folder / "src/pytestcorp/client.py"
    taken = "return self._exchange.take(order, now)"
    only = 'assert (order.symbol, order.idempotency_key[:4]) == ("BTC-USD", "run7")'
    client.write_text(client.read_text().replace(taken, f"{only}\n            {taken}"))
    broker = ("--mts-broker", "pytestcorp.sandbox:connect", "-k", "B05-")
    asked = ("--mts-symbol", "BTC-USD", "--mts-run-id", "run7")
    assert "1 passed" in _pytest(folder, *broker, *asked).stdout
    assert "1 failed" in _pytest(folder, *broker).stdout


def test_pytest_fails_a_card_with_what_was_seen(tmp_path: Path) -> None:
    folder = create_plugin(PluginKind.BROKER, "pytestcorp", out=tmp_path).folder
    client = folder / "src/pytestcorp/client.py"
    text = client.read_text()
    client.write_text(text.replace("return self._exchange.cancel(order_id)", "return True"))
    done = _pytest(folder, "--mts-broker", "pytestcorp.sandbox:connect", "-k", "B07 or B501")
    assert done.returncode == 1
    assert "2 failed" in done.stdout
    assert "cancel of an unknown order gave True" in done.stdout


def test_pytest_with_a_sandbox_and_no_broker_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "test_one.py").write_text("def test_one() -> None: pass\n")
    done = _pytest(tmp_path, "--mts-sandbox", "pytestcorp.box:Box")
    assert done.returncode == 2
    assert "name it: --mts-broker" in done.stdout


def test_pytest_without_the_option_runs_no_card(tmp_path: Path) -> None:
    (tmp_path / "test_one.py").write_text("def test_one() -> None: pass\n")
    done = _pytest(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout
