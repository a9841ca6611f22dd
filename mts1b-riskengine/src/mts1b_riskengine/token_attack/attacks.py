"""The attacks: each makes of a genuine attempt one that must not succeed."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from mts1b_foundation import ExecutionMode, OrderType, RiskApproval, Side, TimeInForce
from mts1b_platform.rng import Rng

from mts1b_riskengine.approval import signing_bytes
from mts1b_riskengine.token_attack.bench import (
    AT,
    EPOCH,
    LEASE,
    ORDERS,
    TTL_S,
    Attempt,
    Bench,
    pick,
)

__all__ = ["ATTACKS"]

_GROUP_ORDER: Final = 2**252 + 27742317777372353535851937790883648493
"""Order of the Ed25519 base point: adding it to the second half of a signature gives its twin."""


def _other_value(value: object, rng: Rng) -> object:
    """Return a value of the same kind that differs."""
    match value:
        case bool():
            return not value
        case int():
            return value + pick(rng, (-1, 1, 1000))
        case Decimal():
            return value + pick(rng, (Decimal("1E-9"), Decimal(1), value * 9))
        case datetime():
            return value + timedelta(microseconds=pick(rng, (-1, 1, 10**9)))
        case Side() | OrderType() | TimeInForce() | ExecutionMode():
            return pick(rng, [item for item in type(value) if item is not value])
        case None:
            return pick(rng, (Decimal(1), AT))
        case _:
            return _other_text(str(value), rng)


def _other_text(text: str, rng: Rng) -> str:
    place = rng.integer(0, max(len(text) - 1, 0))
    return pick(
        rng,
        (
            text + "x",
            text[:place] + "\u0430" + text[place + 1 :],  # a Cyrillic letter that looks Latin
            text[:-1] if len(text) > 1 else text + "y",
            text.upper() if text.upper() != text else text + "\u0000",
            f"{text} ",
        ),
    )


_BOUND: Final = tuple(name for name in RiskApproval.model_fields if name != "signature")
_TERMS: Final = (
    "order_id",
    "idempotency_key",
    "fund_id",
    "strategy_id",
    "account",
    "mode",
    "broker",
    "symbol",
    "side",
    "quantity",
    "reduce_only",
    "parent_order_id",
    "signal_id",
)
_NEIGHBOURS: Final = (
    ("order_id", "idempotency_key"),
    ("fund_id", "strategy_id"),
    ("account", "broker"),
    ("envelope_id", "reservation_id"),
    ("lease_id", "policy_hash"),
)


def _changed_field(case: Attempt, bench: Bench) -> Attempt:
    name = pick(bench.rng, _BOUND)
    value = _other_value(getattr(case.approval, name), bench.rng)
    return _with(case, {name: value})


def _changed_order(case: Attempt, bench: Bench) -> Attempt:
    name = pick(bench.rng, _TERMS)
    value = _other_value(getattr(case.order, name) or "", bench.rng)
    return Attempt(case.approval, case.order.model_copy(update={name: value}))


def _shifted_text(case: Attempt, bench: Bench) -> Attempt:
    """Move the end of one field to the start of its neighbour: the plain text stays the same."""
    left, right = pick(bench.rng, _NEIGHBOURS)
    first, second = getattr(case.approval, left), getattr(case.approval, right)
    joined = f"{first}{second}"
    cut = pick(bench.rng, [at for at in range(len(joined) + 1) if at != len(first)])
    return _with(case, {left: joined[:cut], right: joined[cut:]})


def _other_order(case: Attempt, bench: Bench) -> Attempt:
    others = [order for order in ORDERS if order.order_id != case.order.order_id]
    return Attempt(case.approval, pick(bench.rng, others))


def _replayed(case: Attempt, bench: Bench) -> Attempt:
    return Attempt(case.approval, case.order, uses=2)


def _expired(case: Attempt, bench: Bench) -> Attempt:
    late = timedelta(seconds=TTL_S, microseconds=pick(bench.rng, (0, 1, 10**6, 10**12)))
    return Attempt(case.approval, case.order, now=AT + late)


def _before_its_time(case: Attempt, bench: Bench) -> Attempt:
    early = timedelta(microseconds=pick(bench.rng, (1, 10**6, 120 * 10**6)))
    return Attempt(case.approval, case.order, now=AT - early)


def _clock_set_back(case: Attempt, bench: Bench) -> Attempt:
    age = pick(bench.rng, (TTL_S, TTL_S + 1e-6, 60.0, -1e-9, float("nan"), float("inf")))
    return Attempt(case.approval, case.order, age_s=age)


def _other_epoch(case: Attempt, bench: Bench) -> Attempt:
    return Attempt(case.approval, case.order, epoch=EPOCH + pick(bench.rng, (-3, -1, 1, 2)))


def _other_lease(case: Attempt, bench: Bench) -> Attempt:
    return Attempt(case.approval, case.order, lease_id=_other_text(LEASE, bench.rng))


def _other_mode(case: Attempt, bench: Bench) -> Attempt:
    others = [mode for mode in ExecutionMode if mode is not ExecutionMode.PAPER]
    return Attempt(case.approval, case.order, mode=pick(bench.rng, others))


def _foreign_key(case: Attempt, bench: Bench) -> Attempt:
    signer = bench.signer_of(case.approval, bench.foreign)
    forged = bench.sign(signer, case.order)
    claims = pick(bench.rng, (forged.key_id, case.approval.key_id))
    return Attempt(forged.model_copy(update={"key_id": claims}), case.order)


def _retired_key(case: Attempt, bench: Bench) -> Attempt:
    signer = bench.signer_of(case.approval, bench.retired)
    return Attempt(bench.sign(signer, case.order), case.order)


def _changed_then_signed(case: Attempt, bench: Bench) -> Attempt:
    """Change a term and sign again with a key of the attacker under the engine's name."""
    order = case.order.model_copy(update={"quantity": case.order.quantity * 100})
    signer = bench.signer_of(case.approval, bench.foreign)
    own = bench.sign(signer, order).model_copy(update={"key_id": case.approval.key_id})
    return Attempt(own.model_copy(update={"signature": signer.sign(signing_bytes(own))}), order)


def _damaged_signature(case: Attempt, bench: Bench) -> Attempt:
    text, rng = case.approval.signature, bench.rng
    place = rng.integer(0, len(text) - 1)
    flipped = f"{int(text[place], 16) ^ (1 << rng.integer(0, 3)):x}"
    damaged = pick(
        rng,
        (
            text[:place] + flipped + text[place + 1 :],
            text[:place],
            text + flipped,
            text[:place] + " " + text[place:],
            text.upper() if text.upper() != text else "",
            "00" * (len(text) // 2),
            "",
        ),
    )
    return _with(case, {"signature": damaged})


def _twin_signature(case: Attempt, bench: Bench) -> Attempt:
    """Show the other number that names the same point, which a lax verifier accepts."""
    raw = bytes.fromhex(case.approval.signature)
    if case.approval.algorithm != "ed25519":
        return _damaged_signature(case, bench)
    twin = int.from_bytes(raw[32:], "little") + _GROUP_ORDER
    return _with(case, {"signature": (raw[:32] + twin.to_bytes(32, "little")).hex()})


def _signature_of_another(case: Attempt, bench: Bench) -> Attempt:
    other, _ = bench.genuine()
    if other.approval.signature == case.approval.signature:
        return _damaged_signature(case, bench)
    return _with(case, {"signature": other.approval.signature})


def _garbled_text(case: Attempt, bench: Bench) -> Attempt:
    """Damage the JSON on the wire: what still reads as an approval must not verify."""
    fields = json.loads(case.approval.model_dump_json())
    name = pick(bench.rng, ("quantity", "limit_price", "reference_price", "halt_epoch"))
    fields[name] = pick(bench.rng, ("-0", "1e2", "0100", "\u0661\u0660\u0660", "NaN", -1, 1e308))
    if bench.rng.random() < 0.3:
        fields["surprise"] = 1
    changed = RiskApproval.model_validate_json(json.dumps(fields))
    return _changed_field(case, bench) if changed == case.approval else _on(case, changed)


def _with(case: Attempt, changes: Mapping[str, object]) -> Attempt:
    return _on(case, case.approval.model_copy(update=changes))


def _on(case: Attempt, approval: RiskApproval) -> Attempt:
    return Attempt(approval, case.order)


Attack = Callable[[Attempt, Bench], Attempt]

ATTACKS: Final[Mapping[str, Attack]] = {
    "changed field": _changed_field,
    "changed order": _changed_order,
    "shifted text": _shifted_text,
    "other order": _other_order,
    "replayed": _replayed,
    "expired": _expired,
    "before its time": _before_its_time,
    "clock set back": _clock_set_back,
    "other epoch": _other_epoch,
    "other lease": _other_lease,
    "other mode": _other_mode,
    "foreign key": _foreign_key,
    "retired key": _retired_key,
    "changed then signed": _changed_then_signed,
    "damaged signature": _damaged_signature,
    "twin signature": _twin_signature,
    "signature of another": _signature_of_another,
    "garbled text": _garbled_text,
}
"""Every kind of attack, by name."""
