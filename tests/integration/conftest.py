"""A reference result that several tests compare with: it is made once, by whoever comes first."""

from __future__ import annotations

import fcntl
from pathlib import Path

import pytest

from tests.integration.replay_home import CALM, make_home, run_paper


@pytest.fixture(scope="session")
def reference(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> tuple[Path, str]:
    """Return the home and state hash of a run over NATS, in five processes.

    Workers share it: the first one makes it while the others wait.
    """
    base = tmp_path_factory.getbasetemp()
    folder = base if worker_id == "master" else base.parent
    home, result = folder / "reference", folder / "reference.hash"
    with (folder / "reference.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not result.exists():
            result.write_text(run_paper(make_home(home, CALM)))
    return home, result.read_text()
