"""What a person sees: the replay at a terminal."""

from __future__ import annotations

import os
import pty
import re
import subprocess
from pathlib import Path

from tests.integration.replay_home import CALM, MTS, PATIENCE_S, environment, make_home

ESCAPE = re.compile(rb"\x1b\[[0-9;?]*[A-Za-z]")


def test_a_terminal_shows_the_progress_and_the_hash(
    reference: tuple[Path, str], tmp_path: Path
) -> None:
    home = make_home(tmp_path / "home", CALM)
    master, slave = pty.openpty()
    run = subprocess.Popen(
        [MTS, "paper", "--layout", "one", "--bus", "local"],
        env={**environment(home), "TERM": "xterm", "COLUMNS": "100"},
        stdin=slave,
        stdout=slave,
        stderr=slave,
    )
    os.close(slave)
    seen = b""
    try:
        while chunk := _read(master):
            seen += chunk
        assert run.wait(PATIENCE_S) == 0, seen[-2000:]
    finally:
        run.kill()
        run.wait()
        os.close(master)
    text = ESCAPE.sub(b"", seen).decode()
    assert re.search(r"trading 2000-\d\d-\d\d", text)
    assert re.search(r"\d+/252 sessions", text)
    assert text.strip().splitlines()[-1] == f"state hash: {reference[1]}"
    assert (home / "reports" / "run.html").stat().st_size > 10_000


def _read(terminal: int) -> bytes:
    """Return what the terminal shows next; nothing once the program has left it."""
    try:
        return os.read(terminal, 65536)
    except OSError:
        return b""
