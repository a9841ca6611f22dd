"""When an optimiser has no answer, what was configured is held, and the failure is told."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mts1b_portfolio import (
    AllocationSettings,
    AllocatorFailed,
    BadTarget,
    FailurePolicy,
    allocate,
)
from mts1b_quantkit import BadInput, Infeasible, NaNInput, NotConverged, NotPositiveDefinite
from mts1b_quantkit.allocators import efficient_return, max_sharpe, mean_variance, min_variance

RETURNS = np.random.default_rng(4).normal(0.0, 0.01, (300, 4))
HELD = np.array([0.1, 0.2, 0.3, 0.4])
IMPOSSIBLE: dict[str, Any] = {"bounds": (0, 0.1)}  # four names can not sum to one


def configured(policy: str) -> AllocationSettings:
    return AllocationSettings.model_validate({"on_failure": policy})


def test_an_answer_is_passed_on_under_every_policy() -> None:
    wanted = min_variance(RETURNS).weights
    for settings_ in (AllocationSettings(), *map(configured, FailurePolicy)):
        outcome = allocate(min_variance, RETURNS, settings=settings_, held=HELD)
        assert not outcome.failed
        np.testing.assert_array_equal(outcome.weights, wanted)


def test_without_a_policy_the_failure_is_typed_and_keeps_its_cause() -> None:
    with pytest.raises(AllocatorFailed, match="min_variance has no answer") as caught:
        allocate(min_variance, RETURNS, settings=AllocationSettings(), **IMPOSSIBLE)
    assert caught.value.allocator == "min_variance"
    assert isinstance(caught.value.__cause__, Infeasible)


@pytest.mark.parametrize(
    ("policy", "wanted"), [("hold", HELD), ("equal", [0.25] * 4), ("flat", [0.0] * 4)]
)
def test_the_policy_stands_in(policy: str, wanted: Any) -> None:
    outcome = allocate(min_variance, RETURNS, settings=configured(policy), held=HELD, **IMPOSSIBLE)
    assert outcome.failed
    assert outcome.failure.startswith("Infeasible: ")
    np.testing.assert_array_equal(outcome.weights, wanted)


def test_real_failures_of_real_optimisers() -> None:
    falling = RETURNS - 0.02
    singular = {"covariance": np.ones((4, 4))}
    for allocator, params in (
        (efficient_return, {"target_return": 99.0}),
        (max_sharpe, {}),
        (mean_variance, {"bounds": (None, None), **singular}),
    ):
        outcome = allocate(allocator, falling, settings=configured("flat"), **params)
        assert outcome.failed, allocator
        assert outcome.weights.tolist() == [0.0] * 4


@pytest.mark.parametrize(
    "error", [Infeasible("i"), NotConverged("n"), NotPositiveDefinite("p"), np.linalg.LinAlgError()]
)
def test_every_kind_of_failure_is_caught(error: Exception) -> None:
    def broken(returns: Any) -> Any:
        raise error

    assert allocate(broken, RETURNS, settings=configured("equal")).failed
    with pytest.raises(AllocatorFailed):
        allocate(broken, RETURNS, settings=AllocationSettings())


@pytest.mark.parametrize("error", [BadInput("b"), ZeroDivisionError(), KeyError("k")])
def test_a_mistake_is_no_failure_of_the_optimiser(error: Exception) -> None:
    def broken(returns: Any) -> Any:
        raise error

    with pytest.raises(type(error)):
        allocate(broken, RETURNS, settings=configured("flat"))


@settings(max_examples=30, deadline=None)
@given(
    weights=st.lists(st.floats(allow_nan=True, allow_infinity=True), min_size=3, max_size=5),
    policy=st.sampled_from(FailurePolicy),
)
def test_what_comes_out_is_always_finite_and_complete(
    weights: list[float], policy: FailurePolicy
) -> None:
    outcome = allocate(lambda _: np.array(weights), RETURNS, settings=configured(policy), held=HELD)
    assert len(outcome.weights) == 4
    assert np.isfinite(outcome.weights).all()
    good = len(weights) == 4 and bool(np.isfinite(weights).all())
    assert outcome.failed is not good


def test_labels_are_kept() -> None:
    frame = pd.DataFrame(RETURNS, columns=list("ABCD"))
    outcome = allocate(min_variance, frame, settings=configured("equal"), **IMPOSSIBLE)
    assert outcome.weights.to_dict() == dict.fromkeys("ABCD", 0.25)


def test_a_weight_that_is_not_finite_is_named() -> None:
    frame = pd.DataFrame(RETURNS, columns=list("ABCD"))
    weights = {"A": 0.5, "B": float("nan"), "C": 0.2, "D": 0.3}
    with pytest.raises(AllocatorFailed, match="weight of B"):
        allocate(lambda _: weights, frame, settings=AllocationSettings())


def test_what_is_refused() -> None:
    with pytest.raises(BadTarget, match="held is not given"):
        allocate(min_variance, RETURNS, settings=configured("hold"))
    with pytest.raises(BadTarget, match="2 weights for 4"):
        allocate(min_variance, RETURNS, settings=configured("hold"), held=[0.5, 0.5])
    with pytest.raises(BadTarget, match="gross"):
        allocate(min_variance, RETURNS, settings=AllocationSettings(gross=-1.0))
    with pytest.raises(BadInput, match="one series"):
        allocate(min_variance, RETURNS[:, 0], settings=configured("flat"))
    with pytest.raises(NaNInput):
        allocate(min_variance, RETURNS * np.nan, settings=configured("flat"))
    with pytest.raises(ValueError, match="on_failure"):
        configured("guess")
