"""What operators sign: words on orders and books, under their own keys."""

from __future__ import annotations

from typing import TypeVar

from mts1b_foundation.adjustments import AdjustBooks
from mts1b_foundation.commands import ResolveOrder
from mts1b_platform.signing import KeyRing, encode_fields

__all__ = ["NotSigned", "prove_act", "sign_act"]

Act = TypeVar("Act", ResolveOrder, AdjustBooks)


class NotSigned(Exception):
    """An act lacks the signature of a registered operator, or the operator's key is not here."""


def sign_act(keyring: KeyRing, domain: str, act: Act) -> Act:
    """Return the act signed with its operator's key, which must be on this machine.

    :raises NotSigned: when it is not.
    """
    name = _key_name(act.signed_by)
    if not keyring.exists(name):
        raise NotSigned(
            f"no key of {act.signed_by} on this machine; create one with "
            f"`mts cmd operator-key {name.removeprefix('operator-')}`"
        )
    signer = keyring.signer(name, "ed25519")
    bare = act.with_(key_id=signer.key_id, signature="")
    return bare.with_(signature=signer.sign(encode_fields(domain, bare.signing_fields())))


def prove_act(keyring: KeyRing, domain: str, act: ResolveOrder | AdjustBooks) -> None:
    """Return when the operator is registered and has signed.

    :raises NotSigned: naming what does not hold.
    """
    name = _key_name(act.signed_by)
    if not keyring.exists(name):
        raise NotSigned(f"{act.signed_by} is no registered operator")
    verifier = keyring.verifier(name, "ed25519")
    text = encode_fields(domain, act.signing_fields())
    if not verifier.verify(text, act.signature, key_id=act.key_id):
        raise NotSigned(f"this is not signed by {act.signed_by}")


def _key_name(signed_by: str) -> str:
    return f"operator-{signed_by.partition(':')[2]}"
