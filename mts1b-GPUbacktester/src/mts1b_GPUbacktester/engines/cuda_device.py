"""Whether there is a GPU to run on, and how its functions are compiled."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import Any

__all__ = ["cuda_module", "cuda_problem", "device_function", "is_simulated", "kernel"]

_EXTRA = "install mts1b-GPUbacktester[gpu] on a machine with an NVIDIA GPU and its driver"


def cuda_module() -> Any:
    """Import and return ``numba.cuda``, which numba-cuda takes over where it is installed."""
    return import_module("numba.cuda")


def cuda_problem(find: Callable[[str], object | None] = find_spec) -> str | None:
    """Return why the CUDA engine can not run here, None where it can.

    numba's simulator (``NUMBA_ENABLE_CUDASIM=1``) counts as a device.
    """
    if find("numba") is None:
        return f"numba-cuda is not installed; {_EXTRA}"
    if cuda_module().is_available():
        return None
    if find("numba_cuda") is None:
        return f"no CUDA device was found and numba-cuda is not installed; {_EXTRA}"
    return "no CUDA device was found; run on a machine with an NVIDIA GPU and its driver"


def is_simulated() -> bool:
    """Return whether kernels run in numba's simulator: right, and very slow."""
    return bool(import_module("numba.core.config").ENABLE_CUDASIM)


def kernel(function: Callable[..., Any]) -> Any:
    """Compile a kernel on its first call."""
    return cuda_module().jit(function)


def device_function(function: Callable[..., Any]) -> Any:
    """Compile what kernels call."""
    return cuda_module().jit(device=True)(function)
