"""Kinds are found by name; a configuration that makes no sense is refused by name."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from mts1b_foundation import Symbol
from mts1b_research import Mandate, StrategyConfigError, StrategyRegistry, UnknownStrategy
from mts1b_research.strategies import TrendFollowing
from research_desk import AAA, BBB, settings, signal


def test_the_kinds_of_the_package_are_known_and_built() -> None:
    registry = StrategyRegistry()
    assert {"risk_parity", "trend_following"} <= set(registry.kinds())
    built = registry.build(settings())
    assert isinstance(built, TrendFollowing)
    assert (built.strategy_id, built.symbols, built.lookback) == ("s1", (AAA,), 3)


def test_an_unknown_kind_is_told_with_what_there_is() -> None:
    with pytest.raises(
        UnknownStrategy, match=r"s1: no kind 'trend_folowing'.*did you mean 'trend_"
    ):
        StrategyRegistry().build(settings(kind="trend_folowing"))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"params": {"lookback": -1}}, "s1: lookback must be"),
        ({"symbols": ["not a symbol"]}, "s1: 'not a symbol' is not a symbol"),
    ],
)
def test_wrong_settings_are_told_with_the_strategy(change: dict[str, object], told: str) -> None:
    with pytest.raises(StrategyConfigError, match=told) as caught:
        StrategyRegistry().build(settings(**change))
    assert caught.value.exit_code == 3


def test_a_kind_of_ones_own_is_registered_once() -> None:
    registry = StrategyRegistry()
    registry.register("mine", TrendFollowing.configure)
    assert isinstance(registry.build(settings(kind="mine")), TrendFollowing)
    for name in ("mine", "trend_following"):
        with pytest.raises(ValueError, match="registered already"):
            registry.register(name, TrendFollowing.configure)
    assert "mine" not in StrategyRegistry().kinds()


@pytest.mark.parametrize("fault", [KeyError("window"), OSError("no model"), SystemExit(2)])
def test_a_kind_that_fails_to_build_is_told_by_the_name_of_its_strategy(
    fault: BaseException,
) -> None:
    def configure(*given: object) -> TrendFollowing:
        raise fault

    registry = StrategyRegistry()
    registry.register("mine", configure)
    with pytest.raises(StrategyConfigError, match="strategy s1: ") as caught:
        registry.build(settings(kind="mine"))
    assert caught.value.__cause__ is fault


@dataclass
class Odd:
    """A strategy of which a member may be wrong."""

    strategy_id: str = "s1"
    symbols: tuple[Symbol, ...] = (AAA,)
    history: object = 1
    is_due: object = bool
    generate_intents: object = list


@pytest.mark.parametrize(
    ("made", "told"),
    [
        (None, "gave None, which has no strategy_id, symbols, history, is_due, generate_intents"),
        (Odd(is_due=None), "whose is_due can not be called"),
        (Odd(strategy_id="other"), "strategy s1: .* a strategy_id of 'other'"),
        (Odd(symbols=(BBB,)), "symbols of BBB; the settings have AAA"),
        (Odd(history="many"), "a history of 'many' bars"),
        (Odd(history=0), "a history of 0 bars"),
    ],
)
def test_what_is_no_strategy_is_refused_when_it_is_built(made: object, told: str) -> None:
    registry = StrategyRegistry()
    registry.register("odd", lambda *given: made)  # type: ignore[arg-type, return-value]
    with pytest.raises(StrategyConfigError, match=told):
        registry.build(settings(kind="odd"))


def test_a_symbol_that_is_listed_twice_is_refused() -> None:
    """Each bar would lead to two signals for it, and so to none."""
    with pytest.raises(StrategyConfigError, match="AAA is listed twice"):
        StrategyRegistry().build(settings(symbols=["AAA", "BBB", "AAA"]))


def test_a_mandate_covers_its_own_strategy_and_symbols() -> None:
    mandate = Mandate.from_settings(settings())
    assert mandate == Mandate("s1", "f1", frozenset({AAA}), active=True)
    assert mandate.objection(signal(AAA)) is None
    assert (mandate.objection(signal(BBB)) or ("", ""))[0] == "MANDATE_SYMBOL"
    other = signal(AAA).with_(strategy="s2")
    assert (mandate.objection(other) or ("", ""))[0] == "MANDATE_MISSING"
    off = Mandate.from_settings(settings(enabled=False))
    assert (off.objection(signal(Symbol("AAA"))) or ("", ""))[0] == "MANDATE_INACTIVE"


def test_the_share_of_the_fund_is_for_the_oms_and_not_for_the_strategy() -> None:
    entry = settings(params={"lookback": 3, "window": 5, "capital_fraction": "0.25"})
    assert StrategyRegistry().build(entry) == StrategyRegistry().build(
        entry.model_copy(update={"params": {"lookback": 3, "window": 5}})
    )
