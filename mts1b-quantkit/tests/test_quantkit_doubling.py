"""Windows put together by halves are the windows computed one by one."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mts1b_quantkit import BadInput
from mts1b_quantkit import doubling as d

ROWS, SERIES = 60, 3
One = Callable[[np.ndarray, int], np.ndarray]


def comoments(values: np.ndarray, window: int) -> np.ndarray:
    """Return the beta on the first series."""
    first = np.broadcast_to(values[:, :1], values.shape)
    return d.window_comoments(values, first, window, lambda xx, yy, xy: xy / np.where(yy, yy, 1))


def beta(block: np.ndarray) -> np.ndarray:
    centred = block - block.mean(axis=0)
    spread = (centred[:, 0] ** 2).sum()
    return (centred * centred[:, :1]).sum(axis=0) / (spread or 1.0)


def skewness(block: np.ndarray) -> np.ndarray:
    centred = block - block.mean(axis=0)
    second = (centred**2).mean(axis=0)
    return (centred**3).mean(axis=0) / np.where(second > 0.0, second, np.nan) ** 1.5


def drawdown(block: np.ndarray) -> np.ndarray:
    return (block / np.maximum.accumulate(block, axis=0) - 1.0).min(axis=0)


FUNCTIONS: dict[str, tuple[One, Callable[[np.ndarray], np.ndarray], int]] = {
    "mean": (d.window_mean, lambda block: block.mean(axis=0), 1),
    "max": (d.window_max, lambda block: block.max(axis=0), 1),
    "min": (d.window_min, lambda block: block.min(axis=0), 1),
    "deviation": (d.window_deviation, lambda block: block.std(axis=0, ddof=1), 2),
    "skewness": (d.window_skewness, skewness, 3),
    "comoments": (comoments, beta, 2),
    "drawdown": (d.window_drawdown, drawdown, 1),
}


def data(seed: int, rows: int = ROWS) -> np.ndarray:
    """Return positive numbers far from zero, where a difference of squares has no digits left."""
    return 1e4 + np.random.default_rng(seed).normal(size=(rows, SERIES)).cumsum(axis=0)


@pytest.mark.parametrize("name", FUNCTIONS)
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), window=st.integers(1, ROWS))
def test_every_window_is_what_its_rows_give_alone(name: str, seed: int, window: int) -> None:
    function, alone, least = FUNCTIONS[name]
    values, window = data(seed), max(window, least)
    found = function(values, window)
    assert np.isnan(found[: window - 1]).all()
    expected = [alone(values[t - window + 1 : t + 1]) for t in range(window - 1, ROWS)]
    np.testing.assert_allclose(found[window - 1 :], expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", FUNCTIONS)
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), window=st.integers(3, 40), start=st.integers(0, 20))
def test_the_same_rows_give_the_same_bits_wherever_they_stand(
    name: str, seed: int, window: int, start: int
) -> None:
    """So a stream that keeps ``window`` rows gives what the whole history gives."""
    function, _, _ = FUNCTIONS[name]
    values = data(seed)
    whole = function(values, window)
    part = function(values[start : start + window], window)
    np.testing.assert_array_equal(part[-1], whole[start + window - 1])


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_missing_row_blanks_its_windows_alone(name: str) -> None:
    function, _, _ = FUNCTIONS[name]
    values = data(1)
    whole = function(values, 5)
    values[20, 1] = np.nan
    found = function(values, 5)
    assert np.isnan(found[20:25, 1]).all()
    whole[20:25, 1] = np.nan
    np.testing.assert_array_equal(found, whole)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_windows_that_do_not_fit(name: str) -> None:
    function, _, _ = FUNCTIONS[name]
    assert np.isnan(function(data(0, 4), 5)).all()
    for window in (0, -1, 2.5, True):
        with pytest.raises(BadInput, match="window"):
            function(data(0), window)  # type: ignore[arg-type]


def test_what_does_not_move_has_no_spread() -> None:
    still = np.full((30, 2), 0.1)
    assert (d.window_deviation(still, 7)[6:] == 0.0).all()
    assert np.isnan(d.window_skewness(still, 7)).all()
