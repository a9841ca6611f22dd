"""A signed statement of how large the log is and what its root is."""

from __future__ import annotations

from mts1b_foundation.model import FrozenModel, UtcDatetime
from mts1b_platform.signing import KeyRing, encode_fields
from pydantic import Field, ValidationError

from mts1b_operations.audit.entry import stamp
from mts1b_operations.audit.tree import CompactRange
from mts1b_operations.errors import ChainIntegrityError

__all__ = ["AUDIT_KEY", "DOMAIN", "Checkpoint", "CheckpointSigner", "Head", "require_signed"]

AUDIT_KEY = "audit"
"""The name of the log's key in the key ring."""

_DIGITS = 18
DOMAIN = "mts/audit-checkpoint/v1"


class Head(FrozenModel):
    """Size and root of the log at one moment; as text ``SIZE:ROOT``, short enough to write down."""

    size: int = Field(ge=0)
    root: str = Field(pattern=r"^[0-9a-f]{64}$")

    @classmethod
    def parse(cls, text: str) -> Head:
        """Return the head that a text names.

        :raises ValueError: when it names none.
        """
        size, mark, root = text.strip().partition(":")
        if not mark or not size.isdecimal() or len(size) > _DIGITS:
            raise ValueError(
                f"{text[:80]!r} is no head; it is SIZE:ROOT, as `audit head` prints it"
            )
        try:
            return cls(size=int(size), root=root.lower())
        except ValidationError:
            raise ValueError(f"{root[:80]!r} is no root: it has 64 hexadecimal digits") from None

    def __str__(self) -> str:
        return f"{self.size}:{self.root}"


class Checkpoint(FrozenModel):
    """Size and root of the log at one moment, signed with the log's Ed25519 key."""

    size: int = Field(ge=0)
    root: str = Field(pattern=r"^[0-9a-f]{64}$")
    created_at: UtcDatetime
    key_id: str
    signature: str = ""

    def message(self) -> bytes:
        """Return the bytes that the signature covers."""
        fields = [
            ("size", str(self.size)),
            ("root", self.root),
            ("created_at", stamp(self.created_at)),
            ("key_id", self.key_id),
        ]
        return encode_fields(DOMAIN, fields)


class CheckpointSigner:
    """Sign checkpoints with the log's key, which is created on first use."""

    def __init__(self, keyring: KeyRing) -> None:
        self._signer = keyring.signer(AUDIT_KEY, "ed25519")

    def sign(self, state: CompactRange, moment: UtcDatetime) -> Checkpoint:
        """Return the signed checkpoint of ``state``."""
        bare = Checkpoint(
            size=state.size, root=state.root.hex(), created_at=moment, key_id=self._signer.key_id
        )
        return bare.model_copy(update={"signature": self._signer.sign(bare.message())})


def require_signed(keyring: KeyRing, checkpoint: Checkpoint) -> Checkpoint:
    """Return the checkpoint when the ring's audit key signed it.

    :raises ChainIntegrityError: when it did not.
    """
    good = keyring.exists(AUDIT_KEY) and keyring.verifier(AUDIT_KEY).verify(
        checkpoint.message(), checkpoint.signature, key_id=checkpoint.key_id
    )
    if not good:
        raise ChainIntegrityError(
            0, f"the checkpoint of size {checkpoint.size} is not signed by the log's key"
        )
    return checkpoint
