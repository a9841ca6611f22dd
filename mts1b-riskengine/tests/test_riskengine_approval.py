"""Approvals: every field is bound, one mutant each; no replay, no forgery, one use."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mts1b_foundation import (
    ExecutionMode,
    Order,
    OrderType,
    RiskApproval,
    Side,
    Symbol,
    TimeInForce,
)
from mts1b_platform.rng import SeededRng
from mts1b_platform.signing import (
    Ed25519Signer,
    Ed25519Verifier,
    HmacSigner,
    HmacVerifier,
    KeyRing,
    Verifier,
)
from mts1b_riskengine import ApprovalInvalid, ApprovalMint, UsedApprovals, verify_approval
from mts1b_riskengine.approval import signing_bytes
from riskengine_desk import AT, MakeDesk, make_envelope, make_order

SECRET = b"k" * 32
SIGNER, VERIFIER = HmacSigner(SECRET), HmacVerifier([SECRET])
RICH: dict[str, Any] = {
    "order_type": OrderType.STOP_LIMIT,
    "limit_price": Decimal("101.5"),
    "stop_price": Decimal("100.5"),
    "tif": TimeInForce.GTD,
    "expires_at": AT + timedelta(days=3),
    "account": "U-1",
    "parent_order_id": "parent-1",
    "signal_id": "sig-1",
    "reduce_only": True,
}


def approve(order: Order, signer: Any = SIGNER, *, attempt: int = 1) -> RiskApproval:
    mint = ApprovalMint(signer, ttl_s=2.0, policy_hash="policy")
    return mint.approve(
        order,
        make_envelope(),
        decision_id="dec-1",
        attempt=attempt,
        reference_price=Decimal(100),
        epoch=3,
        now=AT,
    )


def verify(
    approval: RiskApproval, order: Order, verifier: Verifier = VERIFIER, **changes: Any
) -> None:
    context: dict[str, Any] = {"now": AT, "epoch": 3, "mode": ExecutionMode.PAPER}
    verify_approval(approval, order, verifier, **context | changes)


MUTANTS: dict[str, Any] = {
    "approval_id": "appr-other",
    "order_id": "o-2",
    "idempotency_key": "k-2",
    "fund_id": "beta",
    "strategy_id": "carry",
    "account": "U-2",
    "mode": ExecutionMode.LIVE,
    "broker": "ibkr",
    "symbol": Symbol("MSFT"),
    "side": Side.SELL,
    "quantity": Decimal("10.00000001"),
    "order_type": OrderType.LIMIT,
    "limit_price": Decimal("101.51"),
    "stop_price": None,
    "tif": TimeInForce.DAY,
    "order_expires_at": AT + timedelta(days=4),
    "reduce_only": False,
    "parent_order_id": "",
    "intent_id": "sig-2",
    "reference_price": Decimal("99.99"),
    "envelope_id": "env-other",
    "envelope_version": 2,
    "reservation_id": "rsv-other",
    "halt_epoch": 4,
    "lease_id": "lease-1",
    "policy_hash": "another",
    "issued_at": AT - timedelta(microseconds=1),
    "expires_at": AT + timedelta(seconds=300),
    "nonce": "nonce-other",
    "key_id": "0" * 16,
    "algorithm": "ed25519",
    "signature": "00" * 32,
}


def test_there_is_a_mutant_of_every_field() -> None:
    assert set(MUTANTS) == set(RiskApproval.model_fields)


@pytest.mark.parametrize("field", sorted(MUTANTS))
def test_each_field_is_bound_by_the_signature(field: str) -> None:
    order = make_order(**RICH)
    approval = approve(order)
    verify(approval, order)
    mutant = approval.with_(**{field: MUTANTS[field]})
    assert mutant != approval
    with pytest.raises(ApprovalInvalid) as caught:
        verify(mutant, order)
    assert caught.value.field == "signature"


ORDER_MUTANTS: dict[str, tuple[str, Any]] = {
    "order_id": ("order_id", "o-2"),
    "idempotency_key": ("idempotency_key", "k-2"),
    "symbol": ("symbol", Symbol("MSFT")),
    "side": ("side", Side.SELL),
    "quantity": ("quantity", Decimal(11)),
    "limit_price": ("limit_price", Decimal(102)),
    "stop_price": ("stop_price", Decimal(101)),
    "expires_at": ("order_expires_at", AT + timedelta(days=4)),
    "fund_id": ("fund_id", "beta"),
    "strategy_id": ("strategy_id", "carry"),
    "broker": ("broker", "ibkr"),
    "mode": ("mode", ExecutionMode.LIVE),
    "account": ("account", "U-2"),
    "parent_order_id": ("parent_order_id", None),
    "signal_id": ("intent_id", "sig-2"),
    "reduce_only": ("reduce_only", False),
}


@pytest.mark.parametrize("field", sorted(ORDER_MUTANTS))
def test_an_order_changed_after_approval_is_refused(field: str) -> None:
    order = make_order(**RICH)
    approval = approve(order)
    bound, value = ORDER_MUTANTS[field]
    with pytest.raises(ApprovalInvalid) as caught:
        verify(approval, order.with_(**{field: value}))
    assert caught.value.field == bound


def test_an_order_of_another_type_or_life_is_refused() -> None:
    order = make_order(order_type=OrderType.LIMIT, limit_price=Decimal(100))
    approval = approve(order)
    for field, other in (
        ("order_type", order.with_(order_type=OrderType.MARKETABLE_LIMIT)),
        ("tif", order.with_(tif=TimeInForce.GTC)),
    ):
        with pytest.raises(ApprovalInvalid) as caught:
            verify(approval, other)
        assert caught.value.field == field


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"mode": ExecutionMode.LIVE}, "mode"),
        ({"epoch": 2}, "halt_epoch"),
        ({"epoch": 4}, "halt_epoch"),
        ({"now": AT + timedelta(seconds=2)}, "expires_at"),
        ({"now": AT - timedelta(microseconds=1)}, "issued_at"),
        ({"age_s": 2.0}, "expires_at"),
        ({"age_s": -0.001}, "expires_at"),
        ({"age_s": float("nan")}, "expires_at"),
        ({"lease_id": "lease-of-another"}, "lease_id"),
    ],
)
def test_the_place_and_time_of_sending_are_bound(changes: dict[str, Any], field: str) -> None:
    order = make_order()
    with pytest.raises(ApprovalInvalid) as caught:
        verify(approve(order), order, **changes)
    assert caught.value.field == field


def test_the_last_moment_still_counts() -> None:
    order = make_order()
    end = AT + timedelta(seconds=2)
    verify(approve(order), order, now=end - timedelta(microseconds=1))
    with pytest.raises(ApprovalInvalid, match="expires_at"):
        verify(approve(order), order, now=end)


def test_terms_do_not_change_with_the_state_of_an_order() -> None:
    order = make_order()
    approval = approve(order)
    verify(approval, order.with_(status="submitting", version=4, actor="someone"))
    verify(approval, order.with_(quantity=Decimal("10.000")))
    with pytest.raises(ApprovalInvalid, match="quantity"):
        verify(approval, order.with_(quantity=Decimal("10.001")))


def test_an_approval_is_good_under_its_lease_alone() -> None:
    order = make_order()
    mint = ApprovalMint(SIGNER, ttl_s=2.0, policy_hash="policy")
    approval = mint.approve(
        order,
        make_envelope(),
        decision_id="dec-1",
        attempt=1,
        reference_price=Decimal(100),
        epoch=3,
        now=AT,
        lease_id="lease-1",
    )
    verify(approval, order, lease_id="lease-1")
    for other in ("", "lease-2"):
        with pytest.raises(ApprovalInvalid) as caught:
            verify(approval, order, lease_id=other)
        assert caught.value.field == "lease_id"


def test_a_signature_has_one_text() -> None:
    order, signer = make_order(), Ed25519Signer(SECRET)
    approval, verifier = approve(order, signer), Ed25519Verifier([signer.public])
    verify(approval, order, verifier)
    for text in (approval.signature.upper(), f" {approval.signature}", f"{approval.signature}00"):
        with pytest.raises(ApprovalInvalid) as caught:
            verify(approval.with_(signature=text), order, verifier)
        assert caught.value.field == "signature"


@pytest.mark.parametrize("signature", ["", "zz", "00", "é" * 64])
def test_no_signature_is_no_approval(signature: str) -> None:
    order = make_order()
    with pytest.raises(ApprovalInvalid) as caught:
        verify(approve(order).with_(signature=signature), order)
    assert caught.value.field == "signature"


def test_another_key_does_not_sign_for_risk() -> None:
    order = make_order()
    forged = approve(order, HmacSigner(b"x" * 32))
    with pytest.raises(ApprovalInvalid):
        verify(forged, order)


def test_the_previous_key_is_valid_after_one_rotation_and_not_after_two(tmp_path: Any) -> None:
    order, keys = make_order(), KeyRing(tmp_path, SeededRng(3))
    approval = approve(order, keys.signer("risk"))
    keys.rotate("risk")
    verify(approval, order, keys.verifier("risk"))
    keys.rotate("risk")
    with pytest.raises(ApprovalInvalid):
        verify(approval, order, keys.verifier("risk"))


def test_an_approval_is_used_once() -> None:
    used, approval = UsedApprovals(), approve(make_order())
    used.use(approval)
    with pytest.raises(ApprovalInvalid) as caught:
        used.use(approval)
    assert caught.value.field == "approval"
    used.use(approve(make_order(), attempt=2))


texts = st.tuples(st.text(max_size=6), st.text(max_size=6), st.text(max_size=6))


@given(texts, texts)
@settings(max_examples=50)
def test_no_two_sets_of_terms_share_their_signed_text(
    first: tuple[str, str, str], second: tuple[str, str, str]
) -> None:
    def text(parts: tuple[str, str, str]) -> bytes:
        names = ("parent_order_id", "lease_id", "policy_hash")
        changes = dict(zip(names, parts, strict=True))
        return signing_bytes(approve(make_order()).with_(**changes))

    assert (text(first) == text(second)) == (first == second)


async def test_the_engines_approvals_verify_with_its_public_key(make_desk: MakeDesk) -> None:
    desk = await make_desk()
    order = make_order()
    decision = await desk.engine.check(order)
    assert decision.approval is not None
    assert decision.approval.algorithm == "ed25519"
    verify(decision.approval, order, desk.verifier, epoch=0)
    travelled = RiskApproval.model_validate_json(decision.approval.model_dump_json())
    verify(travelled, Order.model_validate_json(order.model_dump_json()), desk.verifier, epoch=0)
