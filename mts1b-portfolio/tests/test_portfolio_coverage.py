"""Every public function is held against a truth, met at its edges, and has a law.

A truth is a printed number, an example by hand, or the definition written out another way; an edge
is what is refused or undefined; a law is a property over random data (or over every case there is).
The table names the tests; each must exist and speak of the function. What is new fails until it has
all three.
"""

from __future__ import annotations

import ast
import inspect
from functools import cache
from pathlib import Path

import mts1b_portfolio
import pytest

HERE = Path(__file__).parent
VALUES = {
    *("AllocationOutcome", "AllocationSettings", "Arbitration", "Composition", "Crossing"),
    *("FailurePolicy", "FundCapacity", "OrderDelta", "PositionCapacity", "ScoredSignal"),
    *("SessionRule", "AllocatorFailed", "BadTarget", "MissingPrice", "PortfolioError"),
}
"""Results, settings and errors: they hold numbers and compute none (SessionRule: by its matrix)."""

TRUTHS = {
    "sizers::test_the_best_names_share_the_gross": "equal_weight_long",
    "sizers::test_each_side_gets_half_the_gross": "equal_weight_ls",
    "sizers::test_fixed_weights": "fixed_weight",
    "laws::test_coin_tossing": "kelly_binary kelly_binary_growth",
    "laws::test_the_continuous_approximation": "kelly_fraction kelly_growth",
    "laws::test_horses": "kelly_log_optimal",
    "sizers::test_the_recent_volatility_meets_the_target_both_ways": "vol_target_weights",
    "laws::test_it_is_its_definition": "kelly_voltarget_12",
    "composition::test_a_symbol_in_two_sleeves_is_summed": "compose",
    "composition::test_the_rule_in_force": "SessionMatrix",
    "composition::test_by_hand": "position_capacity",
    "composition::test_the_fund_is_as_large_as_its_tightest_position": "fund_capacity",
    "composition::test_the_score": "arbitration_score",
    "composition::test_the_best_takes_all_of_its_symbol": "arbitrate",
    "netting::test_every_way_across_the_zero_line": "net_to_orders",
    "netting::test_weights_are_taken_as_they_print_and_rounded_toward_zero": (
        "weights_to_quantities"
    ),
    "strategies::test_opposite_wants_cross_and_the_rest_is_one_order": "net_strategies NettedBook",
    "strategies::test_partial_fills_are_split_in_proportion": "NetOrder",
    "failures::test_the_policy_stands_in": "allocate",
}
EDGES = {
    "sizers::test_sizers_are_sizers_and_check_their_parameters": (
        "equal_weight_long equal_weight_ls kelly_fraction kelly_binary"
    ),
    "sizers::test_fixed_weights": "fixed_weight",
    "laws::test_counts_that_do_not_fit_are_refused": (
        "equal_weight_long equal_weight_ls kelly_growth kelly_binary_growth"
    ),
    "growth::test_labels_and_errors": "kelly_log_optimal",
    "sizers::test_volatility_target_checks_its_inputs": "vol_target_weights",
    "composition::test_labels_and_errors": "kelly_voltarget_12",
    "composition::test_bad_targets": "compose",
    "composition::test_bad_rules": "SessionMatrix",
    "composition::test_errors_name_the_symbol": "position_capacity fund_capacity",
    "composition::test_bad_input": "arbitrate",
    "laws::test_edges": "arbitrate arbitration_score",
    "netting::test_bad_numbers_are_refused": "net_to_orders weights_to_quantities",
    "strategies::test_bad_numbers_are_refused": "net_strategies NetOrder",
    "strategies::test_small_orders_are_left_out_with_their_parts": "NettedBook",
    "failures::test_what_is_refused": "allocate",
}
LAWS = {
    "sizers::test_sizers_are_equivariant_and_spend_their_gross": (
        "equal_weight_long equal_weight_ls"
    ),
    "laws::test_stated_weights_keep_their_proportions": "fixed_weight",
    "laws::test_kelly_in_other_units": "kelly_fraction",
    "sizers::test_full_kelly_maximises_growth": (
        "kelly_fraction kelly_growth kelly_binary kelly_binary_growth"
    ),
    "growth::test_nothing_on_the_simplex_grows_faster": "kelly_log_optimal",
    "laws::test_a_volatility_target_forgets_the_size_of_its_base": "vol_target_weights",
    "laws::test_dollars_are_in_proportion_and_names_may_come_in_any_order": "kelly_voltarget_12",
    "composition::test_contributions_sum_to_the_book": "compose",
    "laws::test_the_cap_binds": "SessionMatrix",
    "laws::test_of_a_position": "position_capacity",
    "laws::test_of_a_fund": "fund_capacity",
    "laws::test_a_score_is_in_proportion_to_its_weight": "arbitration_score",
    "laws::test_a_winner_is_sure_enough_and_has_the_highest_score": "arbitrate",
    "netting::test_orders_move_toward_the_target_and_never_past_it": "net_to_orders",
    "netting::test_no_quantity_costs_more_than_its_weight": "weights_to_quantities",
    "strategies::test_nobody_gets_more_than_they_want_and_nothing_is_lost": (
        "net_strategies NettedBook"
    ),
    "strategies::test_partial_fills_are_split_in_proportion": "NetOrder",
    "failures::test_what_comes_out_is_always_finite_and_complete": "allocate",
}
SPOKEN = {
    "SessionMatrix": {"matrix", "MATRIX"},
    "NettedBook": {"attributed"},
    "NetOrder": {"split"},
    "net_to_orders": {"moves"},
}
"""What a test says where it does not say the name itself: methods, and its file's own calls."""


def public() -> set[str]:
    """Return every public function and class that computes."""
    names = {name for name in mts1b_portfolio.__all__ if callable(getattr(mts1b_portfolio, name))}
    return names - VALUES


@cache
def spoken_in(stem: str) -> dict[str, set[str]]:
    """Return the identifiers of each test of a file, its decorators and local names included."""
    tree = ast.parse((HERE / f"test_portfolio_{stem}.py").read_text(encoding="utf-8"))
    found: dict[str, set[str]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
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
    assert not speaks_of("laws::test_horses", "kelly_binary")
    assert not speaks_of("laws::test_of_nothing", "kelly_binary")


def test_values_compute_nothing() -> None:
    for name in VALUES - {"SessionRule"}:
        kind = getattr(mts1b_portfolio, name)
        assert inspect.isclass(kind)
