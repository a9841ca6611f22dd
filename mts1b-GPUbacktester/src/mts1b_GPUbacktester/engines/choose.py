"""Pick the engine, and say why."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Literal

from mts1b_GPUbacktester.engines.numpy_engine import NumpyEngine
from mts1b_GPUbacktester.engines.port import Engine
from mts1b_GPUbacktester.errors import BadSetting, EngineMissing

__all__ = ["EngineChoice", "EngineName", "choose_engine"]

EngineName = Literal["auto", "numpy", "numba"]

WORTH_COMPILING = 20_000_000
"""Bars x parameter sets above which loading compiled code pays (about a second)."""


@dataclass(frozen=True, slots=True)
class EngineChoice:
    """The engine that ran, and the reason."""

    name: str
    reason: str


def choose_engine(
    wanted: EngineName, work: int, *, find: Callable[[str], object | None] = find_spec
) -> tuple[Engine, EngineChoice]:
    """Return the engine for ``work`` bars x parameter sets; ``find`` looks for a package.

    :raises EngineMissing: for numba where it is not installed.
    :raises BadSetting: for an unknown name.
    """
    installed = find("numba") is not None
    match wanted:
        case "numpy":
            return NumpyEngine(), EngineChoice("numpy", "asked for")
        case "numba":
            if not installed:
                raise EngineMissing(
                    "engine 'numba' needs the package numba; install mts1b-GPUbacktester[numba], "
                    "or use engine='numpy'"
                )
            return _numba(), EngineChoice("numba", "asked for")
        case "auto":
            return _automatic(work, installed=installed)
    raise BadSetting(f"engine {wanted!r} is not one of auto, numpy, numba")


def _automatic(work: int, *, installed: bool) -> tuple[Engine, EngineChoice]:
    if not installed:
        return NumpyEngine(), EngineChoice("numpy", "numba is not installed")
    if work < WORTH_COMPILING:
        reason = (
            f"{work:,} bars x sets are less than the {WORTH_COMPILING:,} that pay for compiling"
        )
        return NumpyEngine(), EngineChoice("numpy", reason)
    return _numba(), EngineChoice("numba", f"{work:,} bars x sets")


def _numba() -> Engine:
    from mts1b_GPUbacktester.engines.numba_engine import NumbaEngine

    return NumbaEngine()
