"""How a supervised process is called, and that it ends with its supervisor."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

__all__ = ["ends_with", "mts_command"]

_SET_PARENT_DEATH_SIGNAL = 1  # prctl(2)


def mts_command() -> list[str]:
    """Return how to call ``mts`` of this environment."""
    beside = Path(sys.executable).with_name("mts")
    return [str(beside)] if beside.exists() else [sys.executable, "-m", "mts1b_platform.cli"]


def ends_with(supervisor: int) -> Callable[[], None]:
    """Return what a child runs first: on Linux it is asked to end when its supervisor is gone."""
    library = ctypes.CDLL(None)  # loaded here: the child must not load anything

    def ask() -> None:
        with contextlib.suppress(AttributeError):
            library.prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGTERM)
        if os.getppid() != supervisor:
            os._exit(1)

    return ask
