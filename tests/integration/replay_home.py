"""Homes and runs of a short replay for the integration tests."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

MTS = str(Path(sys.executable).with_name("mts"))
PATIENCE_S = 240.0


def settings(start: str, end: str, **changes: Any) -> dict[str, Any]:
    """Return the paper profile over a part of the tape, with shorter look-backs."""
    text = (files("mts1b_deploy") / "profiles" / "paper.yaml").read_text()
    data: dict[str, Any] = yaml.safe_load(text)
    data["replay"] |= {"start": start, "end": end, "progress_every": 1}
    trend, parity = data["strategies"]
    trend["params"] |= {"lookback": 40, "window": 21}
    parity["params"] |= {"window": 21, "rebalance_every": 10}
    data["operator"]["resume_after_sessions"] = 10
    return data | changes


CALM = settings("2000-01-01T00:00:00Z", "2000-12-31T00:00:00Z")
"""One year with one crash: trading, one halt of one fund, one resume."""


def make_home(folder: Path, data: Mapping[str, Any]) -> Path:
    """Write the settings of a new MTS_HOME."""
    folder.mkdir(parents=True)
    (folder / "mts.yaml").write_text(yaml.safe_dump(dict(data)))
    return folder


def environment(home: Path) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith("MTS_")}
    return {**kept, "MTS_HOME": str(home)}


def mts(home: Path, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run one command to its end."""
    done = subprocess.run(
        [MTS, *arguments],
        env=environment(home),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    if check and done.returncode != 0:
        raise AssertionError(f"mts {' '.join(arguments)}: {done.stdout}{done.stderr}")
    return done


class PaperRun:
    """A running ``mts paper``."""

    def __init__(self, home: Path, *arguments: str, variables: Mapping[str, str] = {}) -> None:
        self.home = home
        self._output = (home / "paper.out").open("w")
        self.process = subprocess.Popen(
            [MTS, "paper", "--no-report", *arguments],
            env={**environment(home), **variables},
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def until_tick(self, tick: int) -> None:
        """Wait until the replay has finished ``tick``."""
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            if self.progress() >= tick:
                return
            if self.process.poll() is not None:
                raise AssertionError(f"ended early: {self.output()}{self.logs()}")
            time.sleep(0.01)
        raise AssertionError(f"tick {tick} not reached: {self.output()}{self.logs()}")

    def progress(self) -> int:
        try:
            return int(json.loads((self.home / "run" / "progress.json").read_text())["tick"])
        except (FileNotFoundError, KeyError):
            return -1

    def kill(self, name: str) -> None:
        """Kill one of the supervised processes as hard as it gets."""
        about = json.loads((self.home / "run" / "supervisor.json").read_text())
        os.kill(about["processes"][name], signal.SIGKILL)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Let the tape wait for what is done meanwhile, however busy the machine is."""
        about = json.loads((self.home / "run" / "supervisor.json").read_text())
        feed = about["processes"]["marketdata"]
        os.kill(feed, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(feed, signal.SIGCONT)

    def interrupt(self) -> int:
        """Press Ctrl-C; return the exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(PATIENCE_S)

    def finish(self) -> str:
        """Wait for the end; return the state hash of the last line."""
        code = self.process.wait(PATIENCE_S)
        lines = self.output().strip().splitlines()
        assert code == 0, f"exit code {code}: {lines[-5:]}{self.logs()}"
        mark, _, digest = lines[-1].partition("state hash: ")
        assert mark == "", lines[-1]
        return digest

    def output(self) -> str:
        return (self.home / "paper.out").read_text()

    def logs(self) -> str:
        tails = []
        for log in sorted((self.home / "logs").glob("*.out")):
            tails.append(f"\n--- {log.name}\n" + log.read_text(errors="replace")[-1500:])
        return "".join(tails)

    def stop(self) -> None:
        """End whatever still runs."""
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(60)
        self._output.close()


def run_paper(home: Path, *arguments: str, variables: Mapping[str, str] = {}) -> str:
    """Run the replay to its end; return the state hash."""
    run = PaperRun(home, *arguments, variables=variables)
    try:
        return run.finish()
    finally:
        run.stop()


def audit(home: Path) -> list[dict[str, Any]]:
    """Return every entry of the audit log."""
    import sqlite3

    with sqlite3.connect(f"{(home / 'db' / 'operations.sqlite').as_uri()}?mode=ro", uri=True) as db:
        db.row_factory = sqlite3.Row
        rows = [dict(row) for row in db.execute("SELECT * FROM audit_entries ORDER BY sequence")]
    db.close()
    return rows
