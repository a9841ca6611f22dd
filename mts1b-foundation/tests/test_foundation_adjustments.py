"""What an adjustment may say, and what NAVs tell of capital."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from mts1b_foundation import NavSnapshot
from mts1b_foundation.adjustments import AdjustBooks
from pydantic import ValidationError

AT = datetime(2026, 5, 23, 16, tzinfo=UTC)
MONEY = {"fund_id": "alpha", "strategy_id": "trend"}
STOCK = {**MONEY, "symbol": "SPX", "quantity": "7", "price": "30"}
SPLIT = {"symbol": "SPX", "ratio": "2", "price": "50"}


def word(kind: str, **said: Any) -> AdjustBooks:
    terms = {
        "adjustment_id": "a-1",
        "kind": kind,
        "reason": "statement",
        "signed_by": "operator:ann",
        "requested_at": AT,
    }
    return AdjustBooks.model_validate(terms | said)


def nav(amount: str, capital: str | None) -> NavSnapshot:
    return NavSnapshot(
        fund_id="alpha", as_of=AT, nav_usd=amount, cash_usd=amount, capital_usd=capital
    )


@pytest.mark.parametrize(
    ("kind", "said", "capital", "income"),
    [
        ("deposit", {"cash_usd": "10", **MONEY}, "10", "0"),
        ("withdrawal", {"cash_usd": "-10", **MONEY}, "-10", "0"),
        ("transfer", STOCK, "210", "0"),
        ("transfer", STOCK | {"quantity": "-0.5", "cash_usd": "15"}, "0", "0"),
        ("dividend", {"cash_usd": "10", "symbol": "SPX", **MONEY}, "0", "10"),
        ("fee", {"cash_usd": "-10", **MONEY}, "0", "-10"),
        ("split", SPLIT, "0", "0"),
    ],
)
def test_what_is_capital_and_what_is_earned(
    kind: str, said: dict[str, Any], capital: str, income: str
) -> None:
    one = word(kind, **said)
    assert (one.capital_usd, one.income_usd) == (Decimal(capital), Decimal(income))


@pytest.mark.parametrize(
    ("kind", "said", "why"),
    [
        ("deposit", {"cash_usd": "10"}, "needs the fund"),
        ("deposit", {"cash_usd": "-10", **MONEY}, "is a withdrawal"),
        ("withdrawal", {"cash_usd": "10", **MONEY}, "negative amount"),
        ("dividend", MONEY, "other than zero"),
        ("dividend", {"cash_usd": "NaN", **MONEY}, "finite"),
        ("interest", {"cash_usd": "1", "quantity": "1", **MONEY}, "money alone"),
        ("interest", {"cash_usd": "1", "ratio": "2", **MONEY}, "no ratio"),
        ("transfer", STOCK | {"price": None}, "needs symbol, quantity and price"),
        ("transfer", STOCK | {"quantity": "0"}, "needs symbol, quantity and price"),
        ("split", SPLIT | MONEY, "names no fund"),
        ("split", SPLIT | {"ratio": "1"}, "other than 1"),
        ("split", SPLIT | {"price": None}, "price of one unit"),
        ("split", SPLIT | {"cash_usd": "1"}, "cash in lieu"),
        ("fee", {"cash_usd": "-1", "signed_by": "ann", **MONEY}, "signed_by"),
    ],
)
def test_what_makes_no_sense_is_refused(kind: str, said: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        word(kind, **said)


def test_the_signature_binds_every_field_but_itself() -> None:
    bound = dict(word("deposit", cash_usd="10.00", **MONEY).signing_fields())
    assert set(bound) == set(AdjustBooks.model_fields) - {"signature"}
    assert bound["cash_usd"] == "10"


def test_capital_is_no_gain() -> None:
    before, after = nav("100", "100"), nav("260", "250")
    assert (after.capital_since(before), after.gain_since(before)) == (150, 10)
    assert nav("260", None).gain_since(before) == 160, "nobody counts capital"
