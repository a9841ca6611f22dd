"""Pick the engine, and say why."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Literal

from mts1b_GPUbacktester.engines.cuda_device import cuda_problem, is_simulated
from mts1b_GPUbacktester.engines.numpy_engine import NumpyEngine
from mts1b_GPUbacktester.engines.port import Engine, SweepBlock
from mts1b_GPUbacktester.errors import BadSetting, EngineMissing
from mts1b_GPUbacktester.program import is_plain

__all__ = [
    "EngineChoice",
    "EngineName",
    "choose_engine",
    "choose_for_sweep",
    "choose_for_weights",
]

EngineName = Literal["auto", "numpy", "numba", "cuda"]

WORTH_COMPILING = 5_000_000
"""Microseconds of numpy's work, about, above which loading compiled code pays.

That takes a second, or half a minute where it was never compiled before.
"""

_PLAIN_BAR, _WALKED_BAR, _SET = 1, 5, 2_000
"""The same for a bar of a plain rule, of any other, and for each parameter set."""

WORTH_A_GPU = 5_000_000_000
"""Bars x parameter sets above which a GPU is looked for: seconds of work for two cores."""

WORTH_COMPILING_WEIGHTS = 1_000_000
"""The same for bars x assets of target weights."""


@dataclass(frozen=True, slots=True)
class EngineChoice:
    """The engine that ran, and the reason."""

    name: Literal["numpy", "numba", "cuda"]
    reason: str


def choose_engine(
    wanted: EngineName,
    work: int,
    *,
    effort: int | None = None,
    find: Callable[[str], object | None] = find_spec,
) -> tuple[Engine, EngineChoice]:
    """Return the engine for ``work`` bars x parameter sets; ``find`` looks for a package.

    :param effort: microseconds that numpy takes, about; None for one of each unit of work.
    :raises EngineMissing: for numba where it is not installed, for cuda where there is no GPU.
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
        case "cuda":
            problem = cuda_problem(find)
            if problem is not None:
                raise EngineMissing(f"engine 'cuda' can not run: {problem}; or use engine='auto'")
            return _cuda(), EngineChoice("cuda", "asked for")
        case "auto":
            effort = work * _PLAIN_BAR if effort is None else effort
            return _automatic(work, effort, installed=installed, find=find)
    raise BadSetting(f"engine {wanted!r} is not one of auto, numpy, numba, cuda")


def choose_for_sweep(wanted: EngineName, whole: SweepBlock) -> tuple[Engine, EngineChoice]:
    """Return the engine for a sweep; raises as :func:`choose_engine`."""
    bars, sets = whole.prices.close.size, len(whole.sets)
    a_bar = _PLAIN_BAR if is_plain(whole.rule, whole.settings) else _WALKED_BAR
    return choose_engine(wanted, bars * sets, effort=sets * (bars * a_bar + _SET))


def _automatic(
    work: int, effort: int, *, installed: bool, find: Callable[[str], object | None]
) -> tuple[Engine, EngineChoice]:
    if not installed:
        return NumpyEngine(), EngineChoice("numpy", "numba is not installed")
    if effort < WORTH_COMPILING:
        reason = f"{work:,} bars x sets are less than what pays for compiling"
        return NumpyEngine(), EngineChoice("numpy", reason)
    said = f"{work:,} bars x sets"
    if work < WORTH_A_GPU:
        return _numba(), EngineChoice("numba", said)
    problem = "the CUDA simulator is not for work" if is_simulated() else cuda_problem(find)
    if problem is None:
        return _cuda(), EngineChoice("cuda", said)
    return _numba(), EngineChoice("numba", f"{said}; {problem}")


def choose_for_weights(
    wanted: EngineName,
    work: int,
    *,
    proportional: bool,
    name: str = "",
    find: Callable[[str], object | None] = find_spec,
) -> EngineChoice:
    """Return the engine for ``work`` bars x assets of target weights.

    :param proportional: whether costs are basis points alone; ``name`` says what they are else.
    :raises EngineMissing, BadSetting: as :func:`choose_engine`; also for numba with other costs.
    """
    if wanted == "cuda":
        raise BadSetting(
            "engine 'cuda' runs rules; portfolios of weights run with 'numpy' or 'numba', or use "
            "engine='auto'"
        )
    if wanted == "auto" and not proportional:
        return EngineChoice("numpy", f"models in {name} run with numpy")
    if wanted == "auto" and find("numba") is not None and work < WORTH_COMPILING_WEIGHTS:
        return EngineChoice(
            "numpy",
            f"{work:,} bars x assets are less than the {WORTH_COMPILING_WEIGHTS:,} that pay for "
            "compiling",
        )
    if wanted == "auto" and find("numba") is not None:
        return EngineChoice("numba", f"{work:,} bars x assets")
    _, choice = choose_engine(wanted, work, find=find)
    if choice.name == "numba" and not proportional:
        raise BadSetting(
            f"engine 'numba' knows costs in basis points, not models in {name}; use "
            "engine='numpy' or 'auto'"
        )
    return choice


def _numba() -> Engine:
    from mts1b_GPUbacktester.engines.numba_engine import NumbaEngine

    return NumbaEngine()


def _cuda() -> Engine:
    from mts1b_GPUbacktester.engines.cuda_engine import CudaEngine

    return CudaEngine()
