"""What operators sign: each under a key of their own, on a machine of their own."""

from __future__ import annotations

from typing import Any, Protocol, TypeVar

from mts1b_platform.signing import KeyRing, Signer, encode_fields

__all__ = ["Act", "NotSigned", "operator_key", "prove", "prove_act", "sign_act", "signer_of"]


class NotSigned(Exception):
    """An act lacks the signature of a registered operator, or the operator's key is not here."""


class Act(Protocol):
    """A model that one operator signs; ``signing_fields`` holds the key's id and not the mark."""

    @property
    def signed_by(self) -> str:
        """Return ``operator:NAME``."""
        ...

    @property
    def key_id(self) -> str:
        """Return the id of the key."""
        ...

    @property
    def signature(self) -> str:
        """Return the signature in hex."""
        ...

    def signing_fields(self) -> list[tuple[str, str]]:
        """Return what the signature binds."""
        ...

    def with_(self, **changes: Any) -> Any:
        """Return a copy with other fields."""
        ...


ActT = TypeVar("ActT", bound=Act)


def operator_key(signed_by: str) -> str:
    """Return the key name of ``operator:NAME``.

    :raises NotSigned: for anything else.
    """
    kind, _, name = signed_by.partition(":")
    if kind != "operator" or not name:
        raise NotSigned(
            f"this is signed by operator:NAME, not {signed_by!r}; create a key with "
            "`mts cmd operator-key NAME`"
        )
    return f"operator-{name}"


def signer_of(keyring: KeyRing, signed_by: str) -> Signer:
    """Return what signs with an operator's key, which must be on this machine.

    :raises NotSigned: when it is not.
    """
    name = operator_key(signed_by)
    if not keyring.exists(name):
        raise NotSigned(
            f"no key of {signed_by} on this machine; create one with "
            f"`mts cmd operator-key {name.removeprefix('operator-')}`, or sign where the key is"
        )
    return keyring.signer(name, "ed25519")


def sign_act(keyring: KeyRing, domain: str, act: ActT) -> ActT:
    """Return the act signed with its operator's key, which must be on this machine.

    :raises NotSigned: when it is not.
    """
    signer = signer_of(keyring, act.signed_by)
    bare = act.with_(key_id=signer.key_id)
    signed: ActT = bare.with_(signature=signer.sign(encode_fields(domain, bare.signing_fields())))
    return signed


def prove(keyring: KeyRing, message: bytes, *, signed_by: str, key_id: str, signature: str) -> None:
    """Return when the operator is registered and has signed ``message``.

    :raises NotSigned: naming what does not hold.
    """
    name = operator_key(signed_by)
    if not keyring.exists(name):
        raise NotSigned(f"{signed_by} is no registered operator")
    if not keyring.verifier(name, "ed25519").verify(message, signature, key_id=key_id):
        raise NotSigned(f"this is not signed by the key of {signed_by}")


def prove_act(keyring: KeyRing, domain: str, act: Act) -> None:
    """Return when the operator of an act is registered and has signed it.

    :raises NotSigned: naming what does not hold.
    """
    prove(
        keyring,
        encode_fields(domain, act.signing_fields()),
        signed_by=act.signed_by,
        key_id=act.key_id,
        signature=act.signature,
    )
