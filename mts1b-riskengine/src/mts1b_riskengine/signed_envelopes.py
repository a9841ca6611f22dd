"""An operator's signature under an envelope that loosens a limit: made and proven."""

from __future__ import annotations

from datetime import datetime

from mts1b_foundation import RiskEnvelope
from mts1b_foundation.commands import EnvelopeUpdate
from mts1b_platform.operators import NotSigned, prove_act, sign_act
from mts1b_platform.signing import KeyRing

from mts1b_riskengine.envelopes import loosened
from mts1b_riskengine.errors import EnvelopeUnsigned

__all__ = ["DOMAIN", "require_signed_loosening", "sign_envelope"]

DOMAIN = "mts/envelope/v1"


def sign_envelope(
    keys: KeyRing,
    envelope: RiskEnvelope,
    *,
    signed_by: str,
    reason: str,
    requested_at: datetime,
) -> EnvelopeUpdate:
    """Return the update signed by an operator whose key is on this machine.

    :param signed_by: ``operator:NAME``.
    :raises EnvelopeUnsigned: when the key is not here.
    """
    bare = EnvelopeUpdate(
        envelope=envelope, reason=reason, signed_by=signed_by, requested_at=requested_at
    )
    try:
        return sign_act(keys, DOMAIN, bare)
    except NotSigned as error:
        raise EnvelopeUnsigned(str(error)) from error


def require_signed_loosening(keys: KeyRing, current: RiskEnvelope, update: EnvelopeUpdate) -> None:
    """Return when an update only tightens, or a registered operator has signed it with a reason.

    A signature that is there must be good, whether it is needed or not.

    :param current: the envelope that it would follow.
    :raises EnvelopeUnsigned: naming what is looser.
    """
    looser = "; ".join(loosened(current, update.envelope)) or "nothing"
    told = f"the update of fund {update.envelope.fund_id} loosens {looser}, and"
    if not update.signature:
        if looser == "nothing":
            return
        raise EnvelopeUnsigned(
            f"{told} nobody has signed it; use `mts risk envelope update FILE --operator NAME "
            "--reason TEXT`"
        )
    try:
        prove_act(keys, DOMAIN, update)
    except NotSigned as error:
        raise EnvelopeUnsigned(f"{told} {error}") from error
    if not update.reason.strip():
        raise EnvelopeUnsigned("whoever signs an envelope says why; give a reason")
