"""Show the holder of an older signed head that the log since only grew: nothing was rewritten.

The proof is both signed heads and the hashes that lead from the one root to the other (RFC 9162,
section 2.1.4.2). It shows no entry.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from mts1b_foundation.model import FrozenModel
from mts1b_platform.signing import KeyRing
from pydantic import Field, TypeAdapter, ValidationError

from mts1b_operations.audit.checkpoint import Checkpoint, require_signed
from mts1b_operations.audit.inclusion import Hash, InclusionProof, require_signed_head
from mts1b_operations.audit.reader import AuditReader
from mts1b_operations.audit.split_view import read_checkpoints
from mts1b_operations.audit.tree import consistency_proof, verify_consistency
from mts1b_operations.errors import ChainIntegrityError, NotFound, ProofRefused

__all__ = ["GrowthProof", "Proof", "check_growth", "head_of", "prove_growth", "read_proof"]


class GrowthProof(FrozenModel):
    """Two signed heads of one log.

    :param first: the older head, as its holder was given it.
    :param path: the hashes that make both roots.
    :param head: the newer head.
    """

    format: Literal["mts-audit-growth/v1"] = "mts-audit-growth/v1"
    first: Checkpoint
    path: tuple[Hash, ...]
    head: Checkpoint


Proof = InclusionProof | GrowthProof

_PROOFS: TypeAdapter[Proof] = TypeAdapter(Annotated[Proof, Field(discriminator="format")])


def read_proof(path: Path) -> Proof:
    """Return the proof in a file.

    :raises OSError: when it can not be read.
    :raises pydantic.ValidationError: when it holds no proof.
    """
    return _PROOFS.validate_json(path.read_bytes())


def head_of(path: Path) -> Checkpoint:
    """Return the head of a proof, or the largest one of a file of checkpoints.

    :raises OSError: when it can not be read.
    :raises ValueError: when it holds neither.
    """
    try:
        return read_proof(path).head
    except ValidationError:
        return max(read_checkpoints(path), key=lambda one: one.size)


def prove_growth(reader: AuditReader, keyring: KeyRing, first: Checkpoint) -> GrowthProof:
    """Return the proof that the log grew from ``first`` to its newest checkpoint.

    :raises NotFound: when the log is shorter than ``first``: it is old, or was cut.
    :raises ChainIntegrityError: when ``first`` is of another log, or the log is not intact.
    """
    require_signed(keyring, first)
    signed = reader.checkpoints()
    reader.verify(keyring=keyring)
    if not signed or signed[-1].size < first.size:
        size = signed[-1].size if signed else 0
        raise NotFound(
            f"the head given is of {first.size} entries, this log has {size}: it is old, or was cut"
        )
    head = require_signed(keyring, signed[-1])
    leaves = reader.hashes(head.size)
    path = tuple(node.hex() for node in consistency_proof(leaves, first.size))
    proof = GrowthProof(first=first, path=path, head=head)
    if not _grew(proof):
        raise ChainIntegrityError(
            max(first.size - 1, 0),
            f"the head given is of another log with {first.size} entries; "
            "`audit compare` with the checkpoints that its holder has keeps what proves it",
        )
    return proof


def check_growth(proof: GrowthProof, public_key: bytes) -> None:
    """Return when the newer log holds the older one, and what was appended.

    :param public_key: 32 bytes, from whom you trust; never from the file that is checked.
    :raises ProofRefused: saying which part is not what was signed.
    """
    for head in (proof.first, proof.head):
        require_signed_head(head, public_key)
    if not _grew(proof):
        raise ProofRefused(
            f"the path does not lead from the root of {proof.first.size} entries to that of "
            f"{proof.head.size}: it was changed, or the log was rewritten"
        )


def _grew(proof: GrowthProof) -> bool:
    return verify_consistency(
        first=proof.first.size,
        second=proof.head.size,
        first_root=bytes.fromhex(proof.first.root),
        second_root=bytes.fromhex(proof.head.root),
        proof=[bytes.fromhex(node) for node in proof.path],
    )
