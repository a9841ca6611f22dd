"""The operator's signed act that ends a halt: how it is signed and how it is proven."""

from __future__ import annotations

from datetime import datetime

from mts1b_foundation.risk import ResumeRequest
from mts1b_platform.signing import Algorithm, KeyRing, encode_fields

from mts1b_operations.errors import ResumeRefused

__all__ = ["DOMAIN", "operator_key", "require_signed_resume", "sign_resume"]

DOMAIN = "mts/resume/v1"
_ALGORITHM: Algorithm = "ed25519"


def operator_key(cosigned_by: str) -> str:
    """Return the key name of ``operator:NAME``.

    :raises ResumeRefused: for anything else.
    """
    kind, mark, name = cosigned_by.partition(":")
    if kind != "operator" or not mark or not name:
        raise ResumeRefused(
            f"a resume is signed by operator:NAME, not {cosigned_by!r}; create a key with "
            "`mts cmd operator-key NAME`"
        )
    return f"operator-{name}"


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
    name = operator_key(cosigned_by)
    if not keyring.exists(name):
        raise ResumeRefused(
            f"no key of {cosigned_by} on this machine; create one with "
            f"`mts cmd operator-key {name.removeprefix('operator-')}`, or sign where the key is"
        )
    signer = keyring.signer(name, _ALGORITHM)
    bare = ResumeRequest(
        scope=scope,
        reason=reason,
        cosigned_by=cosigned_by,
        requested_at=requested_at,
        epoch=epoch,
        key_id=signer.key_id,
    )
    return bare.with_(signature=signer.sign(encode_fields(DOMAIN, bare.signing_fields())))


def require_signed_resume(keyring: KeyRing, request: ResumeRequest, *, epoch: int) -> None:
    """Prove a request against the registered key of its operator and the halt epoch now.

    :raises ResumeRefused: saying what is wrong with it.
    """
    name = operator_key(request.cosigned_by)
    if not keyring.exists(name):
        raise ResumeRefused(f"{request.cosigned_by} is no registered operator")
    message = encode_fields(DOMAIN, request.signing_fields())
    verifier = keyring.verifier(name, _ALGORITHM)
    if not verifier.verify(message, request.signature, key_id=request.key_id):
        raise ResumeRefused(
            f"the resume of {request.scope} is not signed by the key of {request.cosigned_by}"
        )
    if request.epoch != epoch:
        raise ResumeRefused(
            f"the resume of {request.scope} was signed at halt epoch {request.epoch}, it is "
            f"{epoch} now; look at the halts again and sign anew"
        )
