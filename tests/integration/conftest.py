"""A reference result that several tests compare with: it is made once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.replay_home import CALM, make_home, run_paper


@pytest.fixture(scope="session")
def reference(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Return the home and state hash of a run over NATS, in five processes."""
    home = make_home(tmp_path_factory.mktemp("reference") / "home", CALM)
    return home, run_paper(home)
