"""Two operators' signatures under the override of a soft block: made and proven."""

from __future__ import annotations

from datetime import datetime

from mts1b_foundation import Cosignature, SoftOverride
from mts1b_foundation.limits import Mandate
from mts1b_platform.operators import NotSigned, prove, signer_of
from mts1b_platform.signing import KeyRing, encode_fields

from mts1b_riskengine.errors import OverrideRefused

__all__ = ["DOMAIN", "prove_override", "sign_override"]

DOMAIN = "mts/override/v1"


def sign_override(
    keys: KeyRing,
    *,
    block_id: str,
    reason: str,
    requested_by: str,
    approved_by: str,
    requested_at: datetime,
    expires_at: datetime,
) -> SoftOverride:
    """Return an override with the signatures of two operators whose keys are on this machine.

    :param requested_by: ``operator:NAME``; ``approved_by`` is another one.
    :raises OverrideRefused: when a key is missing.
    """
    bare = SoftOverride(
        block_id=block_id,
        reason=reason,
        requested_by=Cosignature(signed_by=requested_by),
        approved_by=Cosignature(signed_by=approved_by),
        requested_at=requested_at,
        expires_at=expires_at,
    )
    text = encode_fields(DOMAIN, bare.signing_fields())
    signed = [_signed(keys, name, text) for name in (requested_by, approved_by)]
    return bare.with_(requested_by=signed[0], approved_by=signed[1])


def _signed(keys: KeyRing, signed_by: str, text: bytes) -> Cosignature:
    try:
        signer = signer_of(keys, signed_by)
    except NotSigned as error:
        raise OverrideRefused(str(error)) from error
    return Cosignature(signed_by=signed_by, key_id=signer.key_id, signature=signer.sign(text))


def prove_override(keys: KeyRing, override: SoftOverride, mandate: Mandate | None) -> None:
    """Return when both operators are registered, permitted, different, and have signed.

    :raises OverrideRefused: naming what does not hold.
    """
    text = encode_fields(DOMAIN, override.signing_fields())
    key_ids = {sign.key_id for sign in (override.requested_by, override.approved_by)}
    if len(key_ids) != 2:
        raise OverrideRefused("an override takes the keys of two different operators")
    for sign in (override.requested_by, override.approved_by):
        try:
            prove(
                keys,
                text,
                signed_by=sign.signed_by,
                key_id=sign.key_id,
                signature=sign.signature,
            )
        except NotSigned as error:
            raise OverrideRefused(str(error)) from error
        operator = sign.signed_by.partition(":")[2]
        if mandate is not None and mandate.operators and operator not in mandate.operators:
            raise OverrideRefused(
                f"{sign.signed_by} is no operator of mandate {mandate.mandate_id} (owner "
                f"{mandate.owner}): {', '.join(mandate.operators)}"
            )
