"""The values that a rule compares, on the device: computed once, read by all sets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from mts1b_GPUbacktester import expressions as e
from mts1b_GPUbacktester.averages import Averages, without_infinities
from mts1b_GPUbacktester.engines import cuda_kernels as kernels
from mts1b_GPUbacktester.engines.cuda_device import cuda_module
from mts1b_GPUbacktester.evaluate import Evaluator
from mts1b_GPUbacktester.program import whole_bars
from mts1b_GPUbacktester.semantics import FloatArray

__all__ = ["DeviceSeries"]

cuda: Any = cuda_module()

_SMOOTH = ("ema", "wilder")


class DeviceSeries:
    """Compute bound values of a panel of (A, T) into an array (T, S, A) of the device.

    :param up: copies an array to the device; ``grid`` gives blocks and threads for a count.
    """

    def __init__(
        self,
        evaluator: Evaluator,
        shape: tuple[int, int],
        up: Callable[[Any], Any],
        grid: Callable[[int], tuple[int, int]],
    ) -> None:
        self._evaluator, self._shape, self._up, self._grid = evaluator, shape, up, grid

    def of(self, nodes: Sequence[e.Value]) -> Any:
        """Return the values of all nodes, in their order."""
        assets, length = self._shape
        series = cuda.device_array((length, len(nodes), assets))
        simple: dict[e.Value, list[int]] = {}
        smooth: dict[e.Value, list[int]] = {}
        for place, node in enumerate(nodes):
            if isinstance(node, e.Windowed) and node.kind == "sma":
                simple.setdefault(node.source, []).append(place)
            elif isinstance(node, e.Windowed) and node.kind in _SMOOTH:
                smooth.setdefault(node.source, []).append(place)
            else:
                there = self._up(self._computed(node))
                kernels.place_series[self._grid(length * assets)](there, place, series)
        for source, places in simple.items():
            self._write_simple(without_infinities(self._computed(source)), nodes, places, series)
        for source, places in smooth.items():
            self._write_smooth(without_infinities(self._computed(source)), nodes, places, series)
        return series

    def _computed(self, node: e.Value) -> FloatArray:
        """Return a value (A, T) as numpy computes it."""
        assets, length = self._shape
        out = np.empty((1, assets, length))
        self._evaluator.write([node], slice(0, length), out)
        value: FloatArray = out[0]
        return value

    def _write_simple(
        self, source: FloatArray, nodes: Sequence[e.Value], places: list[int], series: Any
    ) -> None:
        """Write averages from the sums that numpy adds up, so that each is equal to its bits."""
        running = Averages().sums(source)
        gaps = np.zeros(source.shape, dtype=np.int64) if running.gaps is None else running.gaps
        kernels.simple_series[self._grid(source.size)](
            self._up(source.T), self._up(running.sums.T), self._up(running.rests.T),
            self._up(gaps.T), self._up(_windows(nodes, places)), self._up(np.array(places)), series,
        )  # fmt: skip

    def _write_smooth(
        self, source: FloatArray, nodes: Sequence[e.Value], places: list[int], series: Any
    ) -> None:
        windows = _windows(nodes, places)
        weights = [
            2.0 / (window + 1.0) if getattr(nodes[place], "kind", "") == "ema" else 1.0 / window
            for place, window in zip(places, windows.tolist(), strict=True)
        ]
        kernels.smooth_series[self._grid(len(places) * len(source))](
            self._up(source.T), self._up(np.array(weights)), self._up(windows),
            self._up(np.array(places)), series,
        )  # fmt: skip


def _windows(nodes: Sequence[e.Value], places: list[int]) -> Any:
    return np.array([whole_bars(nodes[place].window) for place in places])  # type: ignore[attr-defined]
