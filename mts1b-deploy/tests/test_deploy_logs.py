"""Logs have a bound, and who writes them notices nothing."""

from __future__ import annotations

import os
from pathlib import Path

from mts1b_deploy.logs import trim_logs


def test_a_log_that_has_grown_is_put_aside_while_its_service_goes_on(tmp_path: Path) -> None:
    small = tmp_path / "nats.out"
    small.write_text("short\n")
    with (tmp_path / "oms.out").open("ab") as log:  # as the supervisor opens it for a service
        for round_ in range(3):
            log.write(f"{round_}".encode() * 40)
            log.flush()
            assert trim_logs(tmp_path, most=30) == ["oms.out"]
            assert (tmp_path / "oms.out.1").read_text() == f"{round_}" * 40
            assert (tmp_path / "oms.out").stat().st_size == 0
        os.write(log.fileno(), b"and on\n")
    assert (tmp_path / "oms.out").read_text() == "and on\n"
    assert trim_logs(tmp_path, most=30) == []
    assert small.read_text() == "short\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["nats.out", "oms.out", "oms.out.1"]


def test_a_home_without_logs_has_none_to_trim(tmp_path: Path) -> None:
    assert trim_logs(tmp_path / "logs") == []
