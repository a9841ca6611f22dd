"""How funds and strategies share capital: each fund its own, to the last digit."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mts1b_foundation import FundConfig
from mts1b_oms.capital import UNALLOCATED, split_capital
from mts1b_platform.config import ConfigError


@dataclass
class Share:
    strategy_id: str
    fund_id: str = "alpha"
    enabled: bool = True
    params: dict[str, Any] = field(default_factory=dict)


def fund(fund_id: str, nav: str) -> FundConfig:
    return FundConfig(fund_id=fund_id, name=fund_id, target_nav_usd=Decimal(nav))


def asked(name: str, fraction: float) -> Share:
    return Share(name, params={"capital_fraction": fraction})


def test_a_strategy_shares_in_its_own_fund_alone() -> None:
    funds = [fund("alpha", "100"), fund("beta", "60")]
    shares = [Share("a"), Share("b"), Share("c", "beta"), Share("d", "beta", enabled=False)]
    assert split_capital(funds, shares) == {
        ("alpha", "a"): 50,
        ("alpha", "b"): 50,
        ("beta", "c"): 60,
    }


def test_a_whole_fund_may_be_given_to_one() -> None:
    assert split_capital([fund("alpha", "100")], [asked("a", 1)]) == {("alpha", "a"): 100}
    halves = [asked("a", 0.5), asked("b", 0.5)]
    assert split_capital([fund("alpha", "100")], halves) == {
        ("alpha", "a"): 50,
        ("alpha", "b"): 50,
    }
    with pytest.raises(ConfigError):
        split_capital([fund("alpha", "100")], [asked("a", 0.5), asked("b", 0.500001)])


@given(
    nav=st.decimals("0.01", "1000000", places=2),
    parts=st.lists(st.integers(1, 20), max_size=4),
    others=st.integers(0, 7),
)
def test_what_is_shared_is_all_there_is(nav: Decimal, parts: list[int], others: int) -> None:
    shares = [asked(f"p{n}", part / 100) for n, part in enumerate(parts)]
    shares += [Share(f"o{n}") for n in range(others)]
    split = split_capital([fund("alpha", str(nav))], shares)
    assert sum(split.values()) == nav
    assert all(amount >= 0 for amount in split.values())
    assert (("alpha", UNALLOCATED) in split) <= (others == 0)
    even = [split["alpha", f"o{n}"] for n in range(others)]
    assert not even or max(even) - min(even) <= Decimal("1e-6")
