"""The builders of views, bars and desks are in research_desk.py."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from mts1b_platform.config import StrategySettings

sys.path.insert(0, str(Path(__file__).parent))

from research_desk import Desk, Oms, OpenDesk


@pytest.fixture
async def open_desk(tmp_path: Path) -> AsyncIterator[OpenDesk]:
    """Open a desk on one store file; opening it again is a restart."""
    opened: list[Desk] = []

    async def open_(oms: Oms, *entries: StrategySettings) -> Desk:
        while opened:
            await opened.pop().store.close()
        opened.append(await Desk.open(tmp_path / "research.sqlite", oms, *entries))
        return opened[-1]

    yield open_
    while opened:
        await opened.pop().store.close()
