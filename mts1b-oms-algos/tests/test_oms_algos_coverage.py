"""Every public function is held against a truth, met at its edges, and has a law.

A truth is a printed number, an example by hand or the definition written out another way; an edge
is what is refused or undefined; a law is a property over random data. The table names the tests;
each must exist and speak of the function. What is new fails until it has all three.
"""

from __future__ import annotations

import ast
import inspect
from functools import cache
from pathlib import Path

import mts1b_oms_algos
import pytest
from mts1b_oms_algos import AlgoError
from pydantic import BaseModel

HERE = Path(__file__).parent
VALUES = {"Algorithm", "OrderLook", "Shortfall", "Trajectory", "TransactionCosts", "VolumeFeed"}
"""Protocols and results (made, and so tested, by their functions)."""

CLASSES = {
    "twap": "Twap",
    "vwap": "Vwap",
    "pov": "Pov",
    "iceberg": "Iceberg",
    "almgren_chriss": "AlmgrenChriss",
    "is_": "ImplementationShortfall",
}
ALL_SIX = " ".join(CLASSES.values())
SLICED = "Twap Vwap AlmgrenChriss ImplementationShortfall"

TRUTHS = {
    "execution::test_a_restart_without_its_start_keeps_the_distances": "Twap",
    "execution::test_vwap_follows_the_u_shape_of_the_session": "Vwap",
    "pov::test_it_follows_the_volume_and_ends_when_all_is_sent": "Pov",
    "iceberg::test_it_refills_at_the_threshold_and_not_before": "Iceberg",
    "execution::test_without_risk_aversion_it_is_twap": "AlmgrenChriss ImplementationShortfall",
    "trajectory::test_even_trading": "almgren_chriss_trajectory",
    "trajectory::test_by_hand": "implementation_shortfall",
    "tca::test_a_report_worked_by_hand": "transaction_costs",
    "pov::test_a_bar_counts_once_and_where_it_lies_inside_as_a_whole": "VolumeTape",
    "laws::test_the_six_are_there_by_name_and_as_modules": "algorithms",
}
EDGES = {
    "execution::test_what_can_not_be_sliced_is_refused_before_the_first_child": SLICED,
    "pov::test_what_can_not_be_sliced_is_refused": "Pov",
    "iceberg::test_what_can_not_be_sliced_is_refused": "Iceberg",
    "trajectory::test_bad_parameters_are_named": "almgren_chriss_trajectory",
    "trajectory::test_bad_input": "implementation_shortfall",
    "tca::test_what_is_no_record_of_the_order_is_refused": "transaction_costs",
    "pov::test_only_the_shortest_interval_counts": "VolumeTape",
    "laws::test_unknown_parameters_are_refused_by_all": "algorithms",
}
LAWS = {
    "laws::test_children_sum_to_the_parent_in_lots_and_in_time": f"{ALL_SIX} algorithms",
    "laws::test_nothing_comes_after_a_cancel_and_a_restart_repeats_nothing": ALL_SIX,
    "laws::test_the_clock_and_the_seed_decide_all": ALL_SIX,
    "pov::test_children_never_exceed_the_share_of_the_observed_volume_nor_the_parent": "Pov",
    "iceberg::test_it_shows_at_most_the_display_size_and_sums_to_the_parent": "Iceberg",
    "trajectory::test_it_is_the_optimum_and_says_its_own_cost": "almgren_chriss_trajectory",
    "trajectory::test_the_total_is_the_paper_return_less_the_real_one": (
        "implementation_shortfall"
    ),
    "tca::test_the_parts_sum_to_the_amount": "transaction_costs",
    "pov::test_a_tape_counts_every_bar_of_the_time_whatever_their_order": "VolumeTape",
}
SPOKEN = {
    **{name: {"algorithms", "Exchange"} for name in SLICED.split()},
    "Pov": {"sent", "Exchange"},
    "Iceberg": {"Market", "Exchange"},
    "algorithms": {"Exchange"},
    "VolumeTape": {"tape_of"},
}
"""What a test says where it does not say the name itself: what its file makes of it."""


def public() -> set[str]:
    """Return every public function and class that computes."""
    found = set()
    for name in set(mts1b_oms_algos.__all__) - VALUES:
        one = getattr(mts1b_oms_algos, name)
        if inspect.isclass(one) and issubclass(one, AlgoError | BaseModel):
            continue  # errors and parameters: met where they are raised and read
        found.add(name)
    return found


@cache
def spoken_in(stem: str) -> dict[str, set[str]]:
    """Return the identifiers of each test of a file."""
    tree = ast.parse((HERE / f"test_oms_algos_{stem}.py").read_text(encoding="utf-8"))
    found: dict[str, set[str]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and "test_" in node.name:
            names = {inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name)}
            names |= {inner.attr for inner in ast.walk(node) if isinstance(inner, ast.Attribute)}
            found[node.name] = found.get(node.name, set()) | names
    return found


def speaks_of(test: str, name: str) -> bool:
    stem, _, function = test.partition("::")
    return bool(spoken_in(stem).get(function, set()) & {name, *SPOKEN.get(name, ())})


@pytest.mark.parametrize("table", [TRUTHS, EDGES, LAWS], ids=["truths", "edges", "laws"])
def test_every_function_is_in_the_table_and_its_test_speaks_of_it(table: dict[str, str]) -> None:
    silent = [
        f"{test} says nothing of {name}"
        for test, names in table.items()
        for name in names.split()
        if not speaks_of(test, name)
    ]
    assert silent == []
    assert {name for names in table.values() for name in names.split()} == public()


def test_a_function_without_evidence_is_told() -> None:
    assert not speaks_of("tca::test_a_report_worked_by_hand", "almgren_chriss_trajectory")
    assert not speaks_of("tca::test_of_nothing", "transaction_costs")
