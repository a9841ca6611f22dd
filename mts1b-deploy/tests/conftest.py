"""Supervisors over small real processes, which are in deploy_children.py."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from deploy_children import MakeSupervisor, supervise
from mts1b_deploy import Supervisor


@pytest.fixture
async def make_supervisor(tmp_path: Path) -> AsyncIterator[MakeSupervisor]:
    """Make supervisors of one home; what still runs at the end is stopped."""
    made: list[Supervisor] = []

    def make(*names: str, **more: str) -> Supervisor:
        made.append(supervise(tmp_path, *names, **more))
        return made[-1]

    yield make
    for supervisor in made:
        await supervisor.stop()
