"""What a person can get wrong gives one clear line, the right exit code, and loses nothing."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
import yaml

from tests.integration.replay_home import CALM, MTS, environment, make_home, mts

HEADER = "date,open,high,low,close,volume\n"


def an_import(home: Path, file: Path, *more: str) -> tuple[int, str]:
    done = mts(
        home,
        "data",
        "import",
        str(file),
        "--dataset",
        "mine",
        "--interval",
        "1d",
        "--symbol",
        "ACME",
        "--map",
        "timestamp=date",
        *more,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("rows", "zone", "expected"),
    [
        ("2020-01-02,10,9,11,10,5\n", "UTC", "high"),
        ("2020-01-02,10,11,9,10,5\n2020-01-02,10,11,9,10,5\n", "UTC", "duplicate"),
        ("2020-01-02,10,11,9,10,5\n", "Mars/Olympus", "Mars/Olympus"),
        ("2020-01-02,ten,11,9,10,5\n", "UTC", "ten"),
    ],
    ids=["crossed", "duplicate", "zone", "number"],
)
def test_a_bad_csv_is_refused_whole(tmp_path: Path, rows: str, zone: str, expected: str) -> None:
    home = make_home(tmp_path / "home", CALM)
    file = tmp_path / "bars.csv"
    file.write_text(HEADER + rows)
    code, text = an_import(home, file, "--timezone", zone)
    assert code == 6, text
    assert expected in text
    assert not (home / "lake" / "bars" / "mine" / "manifest.json").exists()


def test_a_csv_without_a_column_is_refused(tmp_path: Path) -> None:
    home = make_home(tmp_path / "home", CALM)
    file = tmp_path / "bars.csv"
    file.write_text("date,open,high,low,volume\n2020-01-02,10,11,9,5\n")
    code, text = an_import(home, file, "--timezone", "UTC")
    assert code == 6
    assert "close" in text


def test_an_unknown_key_in_the_settings_is_named(tmp_path: Path) -> None:
    home = make_home(tmp_path / "home", {**CALM, "venue": {"fee_bps": 1}})
    done = mts(home, "paper", check=False)
    assert done.returncode == 3
    assert "venue.fee_bps" in done.stderr
    assert "fee_bps_per_side" in done.stderr
    assert not (home / "db").exists()


def test_a_missing_nats_server_is_one_clear_line(tmp_path: Path) -> None:
    import subprocess

    home = make_home(tmp_path / "home", CALM)
    done = subprocess.run(
        [MTS, "bus", "serve"],
        env={**environment(home), "MTS_NATS_SERVER_BIN": "/nowhere/nats-server"},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 3
    assert "MTS_NATS_SERVER_BIN" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_port_in_use_is_named(tmp_path: Path) -> None:
    home = make_home(tmp_path / "home", CALM)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = mts(home, "bus", "serve", "--port", str(port), check=False)
    assert done.returncode == 4
    assert f"port {port} is in use" in done.stderr


def test_a_command_without_a_running_system_says_so(tmp_path: Path) -> None:
    home = make_home(tmp_path / "home", CALM)
    done = mts(
        home,
        "oms",
        "submit",
        *("--fund", "paper-parity", "--strategy", "parity-spx-ixic", "--symbol", "SPX"),
        *("--side", "buy", "--quantity", "1", "--operator", "ada", "--key", "manual-1"),
        check=False,
    )
    assert done.returncode == 4, done.stdout + done.stderr


def test_a_limit_order_without_a_price_is_refused_before_anything(tmp_path: Path) -> None:
    home = make_home(tmp_path / "home", CALM)
    done = mts(
        home,
        *("oms", "submit", "--type", "limit", "--symbol", "SPX", "--side", "buy"),
        *("--quantity", "1", "--fund", "paper-parity", "--strategy", "parity-spx-ixic"),
        *("--operator", "ada", "--key", "manual-1"),
        check=False,
    )
    assert done.returncode == 2
    assert "limit" in done.stderr
    assert not (home / "db").exists()


def test_the_profile_itself_is_right(tmp_path: Path) -> None:
    home = make_home(tmp_path / "home", yaml.safe_load(yaml.safe_dump(CALM)))
    assert "2 funds" in mts(home, "config", "check").stdout
