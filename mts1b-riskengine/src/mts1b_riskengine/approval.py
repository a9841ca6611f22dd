"""Mint and verify approvals: one order, every economic field, once, for a moment."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

from mts1b_foundation import ExecutionMode, Order, RiskApproval, RiskEnvelope
from mts1b_platform.ids import derive_id
from mts1b_platform.signing import Signer, Verifier, encode_fields
from pydantic import TypeAdapter

from mts1b_riskengine.errors import ApprovalInvalid
from mts1b_riskengine.reservations import reservation_id_of

__all__ = ["DOMAIN", "ApprovalMint", "UsedApprovals", "signing_bytes", "verify_approval"]

DOMAIN = "mts/approval/v1"
_VALIDATE = TypeAdapter(RiskApproval).validator.validate_python


def signing_bytes(approval: RiskApproval) -> bytes:
    """Return the canonical bytes that an approval's signature covers."""
    return encode_fields(DOMAIN, approval.signing_fields())


class ApprovalMint:
    """Make signed approvals.

    :param ttl_s: how long an approval lives.
    :param policy_hash: the fingerprint of the rules that it was given under.
    """

    def __init__(self, signer: Signer, *, ttl_s: float, policy_hash: str) -> None:
        self._signer = signer
        self._ttl = timedelta(seconds=ttl_s)
        self._policy_hash = policy_hash

    def approve(
        self,
        order: Order,
        envelope: RiskEnvelope,
        *,
        decision_id: str,
        attempt: int,
        reference_price: Decimal,
        epoch: int,
        now: datetime,
        lease_id: str = "",
    ) -> RiskApproval:
        """Return the approval of ``order``; the nonce follows from decision and attempt.

        :param lease_id: the lease under which the sender asked; the approval is good under it only.
        """
        again = str(attempt)
        fields = RiskApproval.terms_of(order)
        fields |= {
            "approval_id": derive_id("appr", decision_id, again),
            "reference_price": reference_price,
            "envelope_id": envelope.envelope_id,
            "envelope_version": envelope.version,
            "reservation_id": reservation_id_of(order.order_id),
            "halt_epoch": epoch,
            "lease_id": lease_id,
            "policy_hash": self._policy_hash,
            "issued_at": now,
            "expires_at": now + self._ttl,
            "nonce": derive_id("nonce", decision_id, again),
            "key_id": self._signer.key_id,
            "algorithm": self._signer.algorithm,
            "signature": "",
        }
        approval: RiskApproval = _VALIDATE(fields)
        # Nobody has seen it yet, so it is completed, not copied.
        vars(approval)["signature"] = self._signer.sign(signing_bytes(approval))
        return approval


def verify_approval(
    approval: RiskApproval,
    order: Order,
    verifier: Verifier,
    *,
    now: datetime,
    epoch: int,
    mode: ExecutionMode,
    lease_id: str = "",
    age_s: float = 0.0,
) -> None:
    """Return when ``approval`` permits sending ``order`` now, through a venue of ``mode``.

    Single use is the sender's to record, in the transaction that marks the order as sending; see
    :class:`UsedApprovals`.

    :param epoch: the halt epoch that the sender reads from the halt record itself.
    :param mode: what the venue adapter is for.
    :param lease_id: the lease that the sender holds; empty where senders need none.
    :param age_s: seconds on the sender's monotonic clock since it asked for the approval: a wall
        clock that is set back does not lengthen its life.
    :raises ApprovalInvalid: with ``field`` naming the first thing that does not hold.
    """
    text = signing_bytes(approval)
    if not verifier.verify(text, approval.signature, key_id=approval.key_id):
        raise ApprovalInvalid("signature", "it is not one of the risk engine's keys over this text")
    bound = vars(approval)
    for name, value in RiskApproval.terms_of(order).items():
        if bound[name] != value:
            raise ApprovalInvalid(name, f"approved {bound[name]}, the order says {value}")
    if approval.mode is not mode:
        raise ApprovalInvalid("mode", f"approved for {approval.mode}, the venue is for {mode}")
    if now < approval.issued_at:
        raise ApprovalInvalid("issued_at", f"it is of the future: {approval.issued_at}, now {now}")
    if now >= approval.expires_at:
        raise ApprovalInvalid("expires_at", f"it ended at {approval.expires_at}, now {now}")
    life_s = (approval.expires_at - approval.issued_at).total_seconds()
    if not 0.0 <= age_s < life_s:
        raise ApprovalInvalid("expires_at", f"{age_s:.3f} s old, it lives {life_s:.3f} s")
    if approval.lease_id != lease_id:
        raise ApprovalInvalid(
            "lease_id", f"given under lease {approval.lease_id!r}, the sender holds {lease_id!r}"
        )
    if approval.halt_epoch != epoch:
        raise ApprovalInvalid(
            "halt_epoch", f"given in halt epoch {approval.halt_epoch}, now it is {epoch}"
        )


class UsedApprovals:
    """Remember nonces within one process, for callers without a store."""

    def __init__(self) -> None:
        self._seen: dict[str, str] = {}

    def use(self, approval: RiskApproval) -> None:
        """Spend the approval.

        :raises ApprovalInvalid: with field ``approval`` when it is spent already.
        """
        spent_by = self._seen.get(approval.nonce)
        if spent_by is not None:
            raise ApprovalInvalid("approval", f"order {spent_by} has used it already")
        self._seen[approval.nonce] = approval.order_id
