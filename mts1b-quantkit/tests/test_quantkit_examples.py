"""Every public function says what it does by an example, and the example gives what it prints."""

from __future__ import annotations

import doctest
import importlib
import inspect
from typing import Any

import pytest

ROOMS = (
    *("covariance", "allocators", "metrics", "cv", "risk", "factors", "cost_models"),
    *("universe_filters", "microstructure", "volatility", "options"),
)
RESULTS = {
    *("Allocation", "Frontier", "Posterior", "ShrunkCovariance", "Overfitting", "Fold"),
    *("WalkForwardResult", "SizingMethod", "Verdict", "ComponentVar", "CoverageTest"),
    *("TrafficLight", "GarchForecast", "GarchParameters", "InformationCoefficient", "FeeTier"),
    *("FeeModel", "SlippageModel", "Impact", "CusumState", "EwmaState", "Greeks"),
}
"""What a function returns, and protocols: nobody calls them."""


def public() -> dict[str, Any]:
    """Return every function and class that a user calls, by room and name.

    The factors share one signature, and the example of their package.
    """
    found: dict[str, Any] = {"factors": importlib.import_module("mts1b_quantkit.factors")}
    for room in ROOMS:
        module = importlib.import_module(f"mts1b_quantkit.{room}")
        for name in module.__all__:
            one = getattr(module, name)
            if callable(one) and name not in RESULTS and not name.startswith("f_"):
                found[f"{room}.{name}"] = one
    return found


EVERY = public()


def failures(text: str, name: str) -> tuple[int, int]:
    """Return how many examples a docstring has, and how many give something else."""
    parser, runner = doctest.DocTestParser(), doctest.DocTestRunner(verbose=False)
    test = parser.get_doctest(text, {}, name, None, None)
    result = runner.run(test, out=lambda _: None)
    return result.attempted, result.failed


@pytest.mark.parametrize("name", EVERY)
def test_the_example_runs(name: str) -> None:
    tried, failed = failures(inspect.getdoc(EVERY[name]) or "", name)
    assert tried > 0, f"{name} has no example"
    assert failed == 0


@pytest.mark.parametrize("name", [name for name in EVERY if "." in name])
def test_every_public_name_has_a_sentence_of_its_own(name: str) -> None:
    text = EVERY[name].__doc__ or ""
    assert text.strip().partition("\n")[0].endswith("."), text


def test_every_factor_has_a_sentence() -> None:
    factors = importlib.import_module("mts1b_quantkit.factors")
    without = [
        name
        for name in factors.__all__
        if name.startswith("f_") and not (getattr(factors, name).__doc__ or "").startswith("Score ")
    ]
    assert without == []


def test_a_wrong_example_is_told() -> None:
    assert failures(">>> 1 + 1\n3", "x") == (1, 1)
    assert failures("Return nothing.", "x") == (0, 0)
