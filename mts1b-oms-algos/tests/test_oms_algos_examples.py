"""Every public function shows itself by an example, and the example gives what it prints."""

from __future__ import annotations

import doctest
import inspect

import mts1b_oms_algos
import pytest

IN_README = {"algorithms", "transaction_costs"}
"""Their examples are longer; the README has them, and its snippets are run too."""
FUNCTIONS = [
    name
    for name in mts1b_oms_algos.__all__
    if inspect.isfunction(getattr(mts1b_oms_algos, name)) and name not in IN_README
]


def run(text: str) -> tuple[int, int]:
    """Return how many examples a text has, and how many give something else."""
    test = doctest.DocTestParser().get_doctest(text, {}, "example", None, None)
    result = doctest.DocTestRunner(verbose=False).run(test, out=lambda _: None)
    return result.attempted, result.failed


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_example_runs(name: str) -> None:
    tried, failed = run(inspect.getdoc(getattr(mts1b_oms_algos, name)) or "")
    assert tried > 0, f"{name} has no example"
    assert failed == 0


def test_every_public_class_says_what_it_is() -> None:
    classes = [getattr(mts1b_oms_algos, name) for name in mts1b_oms_algos.__all__]
    assert [one.__name__ for one in classes if inspect.isclass(one) and not one.__doc__] == []


def test_a_wrong_example_is_told() -> None:
    assert run(">>> 1 + 1\n3") == (1, 1)
