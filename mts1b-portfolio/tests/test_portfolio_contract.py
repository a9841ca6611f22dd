"""The portfolio part of the numerical API as users know it: names, keywords, defaults.

Each line is a signature; a function may take more keywords. What is written here must be there, in
this order, of this kind, with this default. ``...`` is a default that is not part of the contract.
"""

from __future__ import annotations

import ast
import inspect
from typing import Any

import mts1b_portfolio
import pytest
from mts1b_portfolio import capacity, multi_sleeve, sizers

CONTRACT = {
    sizers: (
        "equal_weight_long(signal, *, n, gross=1.0)",
        "equal_weight_ls(signal, *, n_long, n_short, gross=1.0)",
        "kelly_fraction(expected_returns, cov, *, risk_aversion=1.0, cap=None)",
        "kelly_binary(p, b, *, cap=None)",
        "vol_target_weights(base_weights, asset_log_returns, *, target_ann_vol, window=63,"
        " max_scale=3.0)",
        "kelly_voltarget_12(signal, returns, nav_usd)",
        "fixed_weight(weights)",
    ),
    capacity: (
        "position_capacity(symbol, nav_usd, *, fraction_of_adv=0.01, adv_lookback_days=21,"
        " volume, price)",
        "fund_capacity(weights, *, fraction_of_adv=0.01, adv_lookback_days=21, volumes, prices)",
    ),
    multi_sleeve: ("compose(sleeves, *, overlay=None, returns=None)",),
    mts1b_portfolio: (
        "kelly_log_optimal(returns, *, bounds=(0, 1), budget=1.0)",
        "kelly_growth(weights, expected_returns, cov, *, risk_free_rate=0.0)",
        "kelly_binary_growth(fraction, p, b)",
        "arbitrate(signals, *, weights=None, min_confidence=0.4)",
        "SessionMatrix(rules)",
        "net_to_orders(targets, current)",
        "net_strategies(targets, current)",
        "weights_to_quantities(weights, nav, prices)",
        "allocate(allocator, returns, *, settings, held=None)",
    ),
}
LINES = [(module, line) for module, lines in CONTRACT.items() for line in lines]


def wanted(line: str) -> list[tuple[str, bool, Any]]:
    """Return name, whether by keyword alone, and default of each parameter."""
    tree = ast.parse(f"def {line}: ...").body[0]
    assert isinstance(tree, ast.FunctionDef)
    rows = [(one.arg, False, inspect.Parameter.empty) for one in tree.args.args]
    for one, node in zip(tree.args.kwonlyargs, tree.args.kw_defaults, strict=True):
        default = inspect.Parameter.empty if node is None else ast.literal_eval(node)
        rows.append((one.arg, True, default))
    return rows


def differences(line: str, function: Any) -> list[str]:
    """Return what a function lacks of its line."""
    have, found = inspect.signature(function).parameters, []
    rows = wanted(line)
    for name, keyword, default in rows:
        if name not in have:
            found.append(f"no parameter {name}")
        elif (have[name].kind is inspect.Parameter.KEYWORD_ONLY) is not keyword:
            found.append(f"{name} is {have[name].kind.name}")
        elif have[name].default != default:
            found.append(f"{name} defaults to {have[name].default!r}, not {default!r}")
    placed = [name for name, keyword, _ in rows if not keyword]
    if list(have)[: len(placed)] != placed:
        found.append(f"the order is {list(have)}")
    listed = {name for name, _, _ in rows}
    found += [
        f"{name} has no default"
        for name, one in have.items()
        if name not in listed
        and one.default is inspect.Parameter.empty
        and one.kind is not inspect.Parameter.VAR_KEYWORD
    ]
    return found


@pytest.mark.parametrize(
    ("module", "line"), LINES, ids=[line.partition("(")[0] for _, line in LINES]
)
def test_the_signature_is_there(module: Any, line: str) -> None:
    name = line.partition("(")[0]
    assert name in module.__all__
    assert differences(line, getattr(module, name)) == []


def test_a_planted_difference_is_told() -> None:
    def near(signal: Any, n: int, *, gross: float = 2.0) -> None: ...

    assert len(differences("near(signal, *, n, gross=1.0, cap=None)", near)) == 3
    assert differences("near(signal)", near) == ["n has no default"]


def test_every_sizer_is_also_in_the_root_and_the_root_exports_what_it_lists() -> None:
    assert set(sizers.__all__) <= set(mts1b_portfolio.__all__)
    for name in mts1b_portfolio.__all__:
        assert getattr(mts1b_portfolio, name) is not None
