"""A maker of desks for each test; the desk and its parts are in oms_desk.py."""

from __future__ import annotations

import shutil
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from mts1b_foundation import DenyCode, Order
from mts1b_platform.clock import VirtualClock
from mts1b_platform.halt import HaltStore

sys.path.insert(0, str(Path(__file__).parent))

from oms_desk import START, Desk, make_order
from oms_fuse import Crash, Fuse
from oms_risk import Risk

DeskMaker = Callable[..., Awaitable[Desk]]


@pytest.fixture
async def new_desk(tmp_path: Path) -> AsyncIterator[DeskMaker]:
    """Return a maker of desks, each on its own directory; ``template`` names one to copy."""
    made: list[Desk] = []

    async def make(
        name: str = "home", *, blow_at: int = 0, template: str = "", **options: Any
    ) -> Desk:
        if template:
            shutil.copytree(tmp_path / template, tmp_path / name)
        clock, fuse = VirtualClock(START), Fuse()
        home = tmp_path / name
        risk = Risk(clock, HaltStore(home / "halt"), fuse)
        desk = Desk(home, clock, risk, fuse)
        made.append(desk)
        await desk.open(**options)
        fuse.passed, fuse.blow_at = [], blow_at
        return desk

    yield make
    for desk in made:
        for life in desk.lives:
            await life.close()


@pytest.fixture
def order() -> Callable[..., Order]:
    return make_order


@pytest.fixture
def crash() -> type[BaseException]:
    return Crash


@pytest.fixture
def deny() -> tuple[str, str]:
    return ("position_risk", DenyCode.MAX_POSITION_PCT)
