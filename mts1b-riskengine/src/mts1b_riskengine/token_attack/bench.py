"""The bench of the token attack: genuine approvals of 32 orders, and keys that must not count."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final, TypeVar

from mts1b_foundation import (
    ExecutionMode,
    Order,
    OrderType,
    RiskApproval,
    RiskEnvelope,
    Side,
    Symbol,
    TimeInForce,
)
from mts1b_platform.rng import Rng
from mts1b_platform.signing import (
    Ed25519Signer,
    Ed25519Verifier,
    HmacSigner,
    HmacVerifier,
    Signer,
    Verifier,
)

from mts1b_riskengine.approval import ApprovalMint

__all__ = ["AT", "EPOCH", "LEASE", "ORDERS", "TTL_S", "Attempt", "Bench", "pick"]

T = TypeVar("T")
AT: Final = datetime(2026, 1, 5, 15, tzinfo=UTC)
TTL_S: Final = 2.0
EPOCH: Final = 3
LEASE: Final = "lease-1"


def pick(rng: Rng, items: Sequence[T]) -> T:
    """Return one of ``items``."""
    return items[rng.integer(0, len(items) - 1)]


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try to have an order sent: what is shown, and where and when."""

    approval: RiskApproval
    order: Order
    now: datetime = AT
    epoch: int = EPOCH
    mode: ExecutionMode = ExecutionMode.PAPER
    lease_id: str = LEASE
    age_s: float = 0.0
    uses: int = 1


_ENVELOPE: Final = RiskEnvelope(envelope_id="env-1", fund_id="alpha", nav_usd=Decimal(1_000_000))
_TYPES: Final[Sequence[Mapping[str, Any]]] = (
    {},
    {"order_type": OrderType.LIMIT, "limit_price": Decimal("101.5")},
    {
        "order_type": OrderType.STOP_LIMIT,
        "limit_price": Decimal("101.5"),
        "stop_price": Decimal("100.5"),
        "tif": TimeInForce.GTD,
        "expires_at": AT + timedelta(days=3),
    },
    {"reduce_only": True, "parent_order_id": "parent-1", "account": "U-1"},
)
ORDERS: Final[list[Order]] = [
    Order(
        order_id=f"order-{number}",
        idempotency_key=f"key-{number}",
        symbol=Symbol(("AAPL", "MSFT")[number % 2]),
        side=(Side.BUY, Side.SELL)[number // 2 % 2],
        quantity=Decimal(100 + number),
        fund_id=("alpha", "beta")[number // 4 % 2],
        strategy_id=("trend", "carry")[number // 8 % 2],
        signal_id=f"sig-{number}",
        created_at=AT,
        **_TYPES[number % 4],
    )
    for number in range(32)
]


class Bench:
    """Two risk engines (one Ed25519, one HMAC), their retired and foreign keys, two orders."""

    def __init__(self, rng: Rng) -> None:
        self.rng = rng
        secrets = [rng.bytes(32) for _ in range(4)]
        current, previous, self.retired, self.foreign = secrets
        self.kinds: tuple[tuple[type[Ed25519Signer | HmacSigner], Verifier], ...] = (
            (
                Ed25519Signer,
                Ed25519Verifier([Ed25519Signer(key).public for key in (current, previous)]),
            ),
            (HmacSigner, HmacVerifier([current, previous])),
        )
        self._current = current
        self._genuine = {
            (kind, number): self.sign(kind(current), ORDERS[number])
            for kind, _ in self.kinds
            for number in range(32)
        }

    def sign(self, signer: Signer, order: Order) -> RiskApproval:
        """Return a genuine approval of ``order`` by ``signer``, as the engine would give it."""
        mint = ApprovalMint(signer, ttl_s=TTL_S, policy_hash="policy-1")
        return mint.approve(
            order,
            _ENVELOPE,
            decision_id=f"dec-{order.order_id}",
            attempt=1,
            reference_price=Decimal("100.25"),
            epoch=EPOCH,
            now=AT,
            lease_id=LEASE,
        )

    def genuine(self) -> tuple[Attempt, Verifier]:
        """Return an attempt that must succeed, and who verifies it."""
        kind, verifier = pick(self.rng, self.kinds)
        number = self.rng.integer(0, 31)
        return Attempt(self._genuine[kind, number], ORDERS[number]), verifier

    def signer_of(self, approval: RiskApproval, secret: bytes) -> Signer:
        """Return a signer of the approval's algorithm."""
        return Ed25519Signer(secret) if approval.algorithm == "ed25519" else HmacSigner(secret)
