"""How ``mts`` is called, and that a supervised process ends with its supervisor."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

from mts1b_deploy.errors import DeployError

__all__ = ["ends_with", "mts_command", "run_mts"]

_SET_PARENT_DEATH_SIGNAL = 1  # prctl(2)
_STOPPED = 130


def mts_command() -> list[str]:
    """Return how to call ``mts`` of this environment."""
    beside = Path(sys.executable).with_name("mts")
    return [str(beside)] if beside.exists() else [sys.executable, "-m", "mts1b_platform.cli"]


async def run_mts(home: Path, *arguments: str, tell: TextIO) -> None:
    """Run one ``mts`` command to its end, with its output on ``tell``.

    :raises DeployError: with its exit code, when it fails.
    """
    child = await asyncio.create_subprocess_exec(
        *mts_command(), *arguments, env={**os.environ, "MTS_HOME": str(home)}, stdout=tell
    )
    code = await child.wait()
    if code != 0:
        how = f"ended with exit code {code}" if code > 0 else f"was stopped by signal {-code}"
        failure = DeployError(f"`mts {' '.join(arguments)}` {how}")
        failure.exit_code = code if code > 0 else _STOPPED
        raise failure


def ends_with(supervisor: int) -> Callable[[], None]:
    """Return what a child runs first: on Linux it is asked to end when its supervisor is gone."""
    library = ctypes.CDLL(None)  # loaded here: the child must not load anything

    def ask() -> None:
        with contextlib.suppress(AttributeError):
            library.prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGTERM)
        if os.getppid() != supervisor:
            os._exit(1)

    return ask
