"""The written rules of single models, each at its boundary."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mts1b_foundation import (
    AssetClass,
    Bar,
    Fill,
    HaltRequest,
    MarketSnapshot,
    Order,
    OrderStatus,
    OrderType,
    Quote,
    RiskContext,
    RiskDecision,
    RiskEnvelope,
    Side,
    Symbol,
    TimeInForce,
    UniversePanel,
    from_native,
    resolve_side,
    to_native,
)
from mts1b_foundation.risk import RiskApproval
from pydantic import ValidationError

AT = datetime(2026, 5, 23, 16, tzinfo=UTC)


def order(**changes: Any) -> Order:
    values: dict[str, Any] = {
        "order_id": "ord-1",
        "idempotency_key": "strategy-v7-2026-05-23T16:00-AAPL-long",
        "symbol": "AAPL",
        "side": "buy",
        "quantity": "100",
        "fund_id": "f",
        "strategy_id": "s",
        "created_at": AT,
    }
    return Order.model_validate(values | changes)


@pytest.mark.parametrize(
    ("intent", "held", "side"),
    [
        ("buy", 0, Side.BUY),
        ("buy", 5, Side.BUY),
        ("buy", -5, Side.COVER),
        ("sell", 5, Side.SELL),
        ("sell", 0, Side.SHORT),
        ("sell", -5, Side.SHORT),
    ],
)
def test_resolve_side(intent: str, held: int, side: Side) -> None:
    assert resolve_side(intent, Decimal(held)) is side


def test_resolve_side_refuses_other_words() -> None:
    with pytest.raises(ValueError, match="'hold'"):
        resolve_side("hold", Decimal(0))


@given(st.sampled_from(["buy", "sell"]), st.decimals(-1000, 1000, places=2))
def test_the_side_never_disagrees_with_the_intent(intent: str, held: Decimal) -> None:
    side = resolve_side(intent, held)
    assert side.sign == (1 if intent == "buy" else -1)
    assert (side in (Side.COVER, Side.SHORT)) == (held < 0 or (held == 0 and intent == "sell"))


def test_enum_values_are_the_documented_ones() -> None:
    assert [side.value for side in Side] == ["buy", "sell", "short", "cover"]
    assert [kind.value for kind in OrderType] == [
        "market",
        "limit",
        "stop",
        "stop_limit",
        "marketable_limit",
    ]
    assert [tif.value for tif in TimeInForce] == ["day", "gtc", "ioc", "fok", "opg", "gtd"]
    assert len(OrderStatus) == 14
    assert {item.value for item in AssetClass} == {
        "equities",
        "options",
        "fx",
        "futures",
        "crypto",
        "prediction",
        "sports",
    }


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"order_type": "limit"}, "needs a limit_price"),
        ({"order_type": "stop"}, "needs a stop_price"),
        ({"order_type": "stop_limit", "stop_price": "1"}, "needs a limit_price"),
        ({"limit_price": "10"}, "takes no limit_price"),
        ({"stop_price": "10"}, "takes no stop_price"),
        ({"order_type": "limit", "limit_price": "0"}, "greater than 0"),
        ({"quantity": "0"}, "greater than 0"),
        ({"quantity": "NaN"}, "finite"),
        ({"quantity": "-1"}, "greater than 0"),
        ({"tif": "gtd"}, "needs expires_at"),
        ({"tif": "gtd", "expires_at": AT}, "after created_at"),
        ({"expires_at": AT + timedelta(days=1)}, "only a gtd order"),
        ({"symbol": "aapl"}, "not a symbol"),
        ({"symbol": ""}, "not a symbol"),
    ],
)
def test_an_order_that_makes_no_sense_can_not_be_built(
    changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValidationError, match=message):
        order(**changes)


def test_a_copy_is_validated_again() -> None:
    assert order().with_(quantity=Decimal(5)).quantity == 5
    with pytest.raises(ValidationError, match="greater than 0"):
        order().with_(quantity=Decimal(0))


def test_quantities_carry_the_sign_of_their_side() -> None:
    assert order(side="short").signed_quantity == -100
    assert order(side="cover").signed_quantity == 100
    assert order(filled_quantity="110").remaining_quantity == 0
    fill = Fill(
        fill_id="f1",
        order_id="o",
        symbol=Symbol("AAPL"),
        side=Side.SELL,
        quantity=Decimal(3),
        price=Decimal("1.5"),
        venue="paper",
        timestamp=AT,
    )
    assert (fill.signed_quantity, fill.notional) == (Decimal(-3), Decimal("4.5"))


def quote(bid: str, ask: str) -> Quote:
    return Quote(symbol=Symbol("AAPL"), bid=Decimal(bid), ask=Decimal(ask), venue="v", timestamp=AT)


def test_a_crossed_quote_is_refused_and_a_wide_one_is_flagged() -> None:
    with pytest.raises(ValidationError, match="crossed"):
        quote("10.01", "10.00")
    with pytest.raises(ValidationError, match="greater than 0"):
        quote("0", "1")
    assert quote("10", "10").mid == 10
    assert not quote("10", "11").is_suspicious
    assert quote("10", "11.01").is_suspicious


def bar(**changes: Any) -> Bar:
    values: dict[str, Any] = {
        "symbol": "SPX",
        "interval": "1m",
        "open": "10",
        "high": "12",
        "low": "9",
        "close": "11",
        "timestamp": datetime(2026, 5, 22, 9, 31, tzinfo=timezone(timedelta(hours=-4))),
    }
    return Bar.model_validate(values | changes)


def test_a_bar_is_stamped_with_its_end() -> None:
    assert bar().timestamp == datetime(2026, 5, 22, 13, 31, tzinfo=UTC)
    assert bar().timestamp.tzinfo is UTC
    assert bar().start == datetime(2026, 5, 22, 13, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"low": "13"}, "low 13 > high 12"),
        ({"open": "13"}, "open 13 outside"),
        ({"close": "8"}, "close 8 outside"),
        ({"interval": "7m"}, "'7m' is not one of"),
        ({"volume": "-1"}, "greater than or equal to 0"),
    ],
)
def test_an_impossible_bar_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        bar(**changes)


def test_a_snapshot_holds_nothing_from_the_future() -> None:
    late = bar().with_(timestamp=AT + timedelta(seconds=1))
    with pytest.raises(ValidationError, match="lies after"):
        MarketSnapshot(as_of=AT, bars={late.symbol: late})
    known = bar().with_(timestamp=AT)
    snapshot = MarketSnapshot(as_of=AT, bars={known.symbol: known})
    assert snapshot.price(Symbol("SPX")) == 11
    assert snapshot.price(Symbol("IXIC")) is None


def panel(**changes: Any) -> UniversePanel:
    ones = np.ones((3, 2))
    values: dict[str, Any] = {
        "close": ones,
        "high": ones,
        "low": ones,
        "volume": ones,
        "dates": [1, 2, 3],
        "symbols": ["A", "B"],
    }
    return UniversePanel(**(values | changes))


def test_a_panel_is_time_by_asset() -> None:
    assert panel().shape == (3, 2)
    with pytest.raises(ValueError, match=r"volume has shape \(2, 3\)"):
        panel(volume=np.ones((2, 3)))
    with pytest.raises(ValueError, match="rise strictly"):
        panel(dates=[1, 3, 3])
    with pytest.raises(ValueError, match="listed twice"):
        panel(symbols=["A", "A"])


def test_the_envelope_has_the_documented_defaults() -> None:
    envelope = RiskEnvelope(envelope_id="e", fund_id="f", nav_usd=Decimal(1))
    expected = {
        "max_gross_exposure_pct": 1.0,
        "max_net_exposure_pct": 1.0,
        "max_position_pct": 0.05,
        "max_position_usd": None,
        "max_sector_pct": 0.30,
        "daily_loss_halt_pct": 0.03,
        "weekly_loss_halt_pct": 0.08,
        "monthly_loss_halt_pct": 0.15,
        "max_order_notional_usd": Decimal(100_000),
        "allowed_brokers": [],
        "allowed_order_types": ["market", "limit"],
        "allowed_asset_classes": ["equities"],
        "enable_shorting": False,
        "max_short_fee_bps": 200.0,
        "synthetic_stop_pct": 0.10,
        "cro_veto_enabled": False,
        "cro_veto_confidence_threshold": 0.85,
        "cro_veto_timeout_s": 5.0,
        "version": 1,
    }
    assert {name: getattr(envelope, name) for name in expected} == expected
    with pytest.raises(ValidationError, match="max_position_pct"):
        envelope.with_(max_position_pct=0.0)


def test_a_context_explains_a_denial_and_guards_its_numbers() -> None:
    context = RiskContext(gate="static", nav=Decimal("NaN"), floaty=1.5)
    assert context.reject("X", "too big", limit=Decimal(1), value=Decimal(2)) is False
    assert context.rejection is not None
    assert (context.rejection.limit, context.rejection.value) == ("1", "2")
    with pytest.raises(ValueError, match="NaN"):
        context.need_decimal("nav")
    with pytest.raises(TypeError, match="float"):
        context.need_decimal("floaty")
    with pytest.raises(KeyError):
        context.need_decimal("missing")


def test_an_approval_without_evidence_can_not_be_built() -> None:
    with pytest.raises(ValidationError, match="signed approval"):
        RiskDecision(order_id="o", approved=True, decided_at=AT)
    with pytest.raises(ValidationError, match="gate and code"):
        RiskDecision(order_id="o", approved=False, decided_at=AT)


def test_a_denial_tells_its_code_by_the_name_on_the_wire_too() -> None:
    denied = {"order_id": "o", "approved": False, "decided_at": AT}
    decision = RiskDecision(**denied, rejecting_gate="static", code="MAX_ORDER_QTY")
    assert decision.rejection_code == decision.code == "MAX_ORDER_QTY"
    assert "rejection_code" not in decision.model_dump()


def test_a_halt_names_its_scope() -> None:
    request = {"reason": "r", "requested_by": "me"}
    assert HaltRequest(severity="FIRM_HALT", **request).scope == "firm"
    assert HaltRequest(severity="FUND_HALT", fund_id="f", **request).scope == "fund:f"
    with pytest.raises(ValidationError, match="needs a fund_id"):
        HaltRequest(severity="FUND_HALT", **request)


def test_signing_fields_bind_everything_but_the_signature() -> None:
    names = [name for name, _ in _approval().signing_fields()]
    assert names == [name for name in RiskApproval.model_fields if name != "signature"]
    terms = RiskApproval.terms_of(order())
    assert terms["quantity"] == 100
    assert set(terms) <= set(RiskApproval.model_fields)


def _approval() -> RiskApproval:
    return RiskApproval(
        approval_id="a",
        **RiskApproval.terms_of(order()),
        reference_price=Decimal(10),
        envelope_id="e",
        envelope_version=1,
        reservation_id="r",
        halt_epoch=0,
        policy_hash="p",
        issued_at=AT,
        expires_at=AT,
        nonce="n",
        key_id="k",
        algorithm="ed25519",
    )


def test_equal_amounts_sign_alike_however_they_are_written() -> None:
    one = dict(_approval().with_(quantity=Decimal("100")).signing_fields())
    two = dict(_approval().with_(quantity=Decimal("100.00")).signing_fields())
    assert one == two


NATIVE = [
    ("AAPL", "polygon", "AAPL"),
    ("BRK.B", "ibkr", "BRK B"),
    ("BRK.B", "schwab", "BRK/B"),
    ("BTC-USD", "kraken", "XBT/USD"),
    ("BTC-USD", "coinbase", "BTC-USD"),
    ("BTC-USD", "polygon", "X:BTCUSD"),
    ("EUR-USD", "polygon", "C:EURUSD"),
    ("EUR-USD", "ibkr", "EUR.USD"),
    ("ES@202612", "ibkr", "ESZ26"),
    ("AAPL:20261218:C:250", "polygon", "O:AAPL261218C00250000"),
    ("AAPL:20261218:P:2.5", "tradier", "AAPL261218P00002500"),
    ("AAPL", "moomoo", "US.AAPL"),
]


@pytest.mark.parametrize(("symbol", "venue", "native"), NATIVE)
def test_symbols_translate_both_ways(symbol: str, venue: str, native: str) -> None:
    assert to_native(Symbol(symbol), venue=venue) == native
    assert from_native(native, venue=venue) == symbol


def test_what_a_venue_does_not_list_is_refused() -> None:
    with pytest.raises(ValueError, match="coinbase lists no equity"):
        to_native(Symbol("AAPL"), venue="coinbase")
    with pytest.raises(ValueError, match="no symbol table for venue 'nyse'"):
        to_native(Symbol("AAPL"), venue="nyse")
