"""The operator's signed act that ends a halt: how it is signed and how it is proven."""

from __future__ import annotations

from datetime import datetime

from mts1b_foundation.risk import Cosignature, ResumeRequest
from mts1b_platform.operators import NotSigned, prove, signer_of
from mts1b_platform.signing import KeyRing, encode_fields

from mts1b_operations.errors import ResumeRefused

__all__ = ["DOMAIN", "cosign_resume", "require_signed_resume", "sign_resume"]

DOMAIN = "mts/resume/v1"


def sign_resume(
    keyring: KeyRing,
    *,
    scope: str,
    reason: str,
    cosigned_by: str,
    requested_at: datetime,
    epoch: int,
) -> ResumeRequest:
    """Return the request signed with the operator's key, which must be on this machine.

    :raises ResumeRefused: when it is not.
    """
    try:
        signer = signer_of(keyring, cosigned_by)
    except NotSigned as error:
        raise ResumeRefused(str(error)) from error
    bare = ResumeRequest(
        scope=scope,
        reason=reason,
        cosigned_by=cosigned_by,
        requested_at=requested_at,
        epoch=epoch,
        key_id=signer.key_id,
    )
    return bare.with_(signature=signer.sign(encode_fields(DOMAIN, bare.signing_fields())))


def cosign_resume(keyring: KeyRing, request: ResumeRequest, *, signed_by: str) -> ResumeRequest:
    """Return the request with a second operator's signature over the same scope, reason, time
    and epoch, under that operator's own name and key.

    :raises ResumeRefused: when the key is not here, or it is the first operator again.
    """
    if signed_by == request.cosigned_by:
        raise ResumeRefused(f"{signed_by} has signed already; a second operator has to")
    second = sign_resume(
        keyring,
        scope=request.scope,
        reason=request.reason,
        cosigned_by=signed_by,
        requested_at=request.requested_at,
        epoch=request.epoch,
    )
    mark = Cosignature(signed_by=signed_by, key_id=second.key_id, signature=second.signature)
    return request.with_(second=mark)


def require_signed_resume(
    keyring: KeyRing, request: ResumeRequest, *, epoch: int, since: datetime | None
) -> None:
    """Prove a request against the registered keys of its operators and the halt epoch now.

    A resume of the firm takes two different operators.

    :param since: when the newest halt was asked for that it would end. Epochs begin anew with a
        new record; a signature of before is none for a halt of after.

    :raises ResumeRefused: saying what is wrong with it.
    """
    _require_signature(keyring, request)
    if request.second is not None:
        _require_second(keyring, request, request.second)
    elif request.scope == "firm":
        raise ResumeRefused(
            f"the firm is resumed by two operators, and only {request.cosigned_by} has signed; "
            "add `--cosigner NAME`, or sign the request with `mts cmd cosign`"
        )
    if request.epoch != epoch:
        raise ResumeRefused(
            f"the resume of {request.scope} was signed at halt epoch {request.epoch}, it is "
            f"{epoch} now; look at the halts again and sign anew"
        )
    if since is not None and request.requested_at < since:
        raise ResumeRefused(
            f"the resume of {request.scope} was signed at "
            f"{request.requested_at:%Y-%m-%d %H:%M:%S}Z, before the halt that it would end was "
            "asked for; look at the halts again and sign anew"
        )


def _require_second(keyring: KeyRing, request: ResumeRequest, second: Cosignature) -> None:
    if second.signed_by == request.cosigned_by:
        raise ResumeRefused(f"{second.signed_by} signed twice; the second operator is another")
    if second.key_id == request.key_id:
        raise ResumeRefused(
            f"{request.cosigned_by} and {second.signed_by} signed with one key; two operators have "
            "two different keys"
        )
    _require_signature(
        keyring,
        request.with_(
            cosigned_by=second.signed_by,
            key_id=second.key_id,
            signature=second.signature,
            second=None,
        ),
    )


def _require_signature(keyring: KeyRing, request: ResumeRequest) -> None:
    try:
        prove(
            keyring,
            encode_fields(DOMAIN, request.signing_fields()),
            signed_by=request.cosigned_by,
            key_id=request.key_id,
            signature=request.signature,
        )
    except NotSigned as error:
        raise ResumeRefused(f"the resume of {request.scope}: {error}") from error
