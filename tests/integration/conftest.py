"""Reference results that several tests compare with: each is made once."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from replay_home import make_home, run_paper, settings

CALM = settings("2000-01-01T00:00:00Z", "2000-12-31T00:00:00Z")


@pytest.fixture(scope="session")
def reference(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Return the home and state hash of a run over NATS, in five processes."""
    home = make_home(tmp_path_factory.mktemp("reference") / "home", CALM)
    return home, run_paper(home)
