"""Hand over one entry with the proof that it is in the log, for somebody who has only the key.

The proof is the entry's text, the Merkle path from it to a root, and the checkpoint that signs the
root (RFC 9162, section 2.1.3). It shows nothing of any other entry but hashes.
"""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from mts1b_foundation.model import FrozenModel
from mts1b_platform.signing import Ed25519Verifier, KeyRing
from pydantic import Field

from mts1b_operations.audit.checkpoint import Checkpoint, require_signed
from mts1b_operations.audit.entry import entry_bytes
from mts1b_operations.audit.reader import AuditReader
from mts1b_operations.audit.tree import inclusion_proof, leaf_hash, verify_inclusion
from mts1b_operations.audit.verifier import key_id
from mts1b_operations.errors import ChainIntegrityError, NotFound, ProofRefused

__all__ = ["Hash", "InclusionProof", "check_proof", "prove_entry", "require_signed_head"]

Hash = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
"""A SHA-256 hash in hex."""


class InclusionProof(FrozenModel):
    """One entry of the log, and why it is one.

    :param entry: the very text that is hashed, RFC 8785 JSON.
    :param hash: SHA-256 of a zero byte and ``entry``: its leaf in the tree.
    :param path: the hashes beside the way from the leaf up to the root.
    :param head: the signed size and root of the log.
    """

    format: Literal["mts-audit-proof/v1"] = "mts-audit-proof/v1"
    entry: str
    hash: Hash
    path: tuple[Hash, ...]
    head: Checkpoint


def prove_entry(reader: AuditReader, keyring: KeyRing, sequence: int) -> InclusionProof:
    """Return the proof of one entry under the newest checkpoint.

    :raises NotFound: when there is no such entry, or no checkpoint covers it yet.
    :raises ChainIntegrityError: when the log is not intact: it proves nothing then.
    """
    signed = reader.checkpoints()
    size, _ = reader.verify(keyring=keyring)
    if sequence >= size:
        held = f"it holds 0 to {size - 1}" if size else "it is empty"
        raise NotFound(f"the audit log has no entry {sequence}; {held}")
    if not signed or sequence >= signed[-1].size:
        raise NotFound(f"entry {sequence} is under no signed checkpoint yet; try again later")
    head = require_signed(keyring, signed[-1])
    path = inclusion_proof(reader.hashes(head.size), sequence)
    row = next(reader.rows(since=sequence))
    proof = InclusionProof(
        entry=entry_bytes(row).decode(),
        hash=row[1],
        path=tuple(node.hex() for node in path),
        head=head,
    )
    if not _leads_to_root(proof, sequence):
        raise ChainIntegrityError(0, f"its root at {head.size} entries is not the signed one")
    return proof


def check_proof(proof: InclusionProof, public_key: bytes) -> dict[str, Any]:
    """Return the entry that the proof shows to be in the log of the key.

    :param public_key: 32 bytes, from whom you trust; never from the file that is checked.
    :raises ProofRefused: saying which part is not what was signed.
    """
    require_signed_head(proof.head, public_key)
    if leaf_hash(proof.entry.encode()).hex() != proof.hash:
        raise ProofRefused("the entry was changed: its text does not give its hash")
    try:
        entry = json.loads(proof.entry)
        sequence = int(entry["sequence"])
    except (ValueError, TypeError, KeyError):
        raise ProofRefused("the entry is not one of an audit log") from None
    if not _leads_to_root(proof, sequence):
        raise ProofRefused(
            f"the path does not lead from entry {sequence} to the signed root of "
            f"{proof.head.size} entries: the path, or the entry with its hash, was changed"
        )
    found: dict[str, Any] = entry
    return found


def require_signed_head(head: Checkpoint, public_key: bytes) -> None:
    """Return when the key signed the head as it is.

    :raises ProofRefused: saying whether another key did, or the head was changed.
    """
    verifier = Ed25519Verifier([public_key])
    if verifier.verify(head.message(), head.signature, key_id=head.key_id):
        return
    given = key_id(public_key)
    if head.key_id != given:
        raise ProofRefused(f"signed with another key: {head.key_id}, the key given is {given}")
    raise ProofRefused("the signed head was changed: the key's signature does not fit it")


def _leads_to_root(proof: InclusionProof, sequence: int) -> bool:
    return verify_inclusion(
        bytes.fromhex(proof.hash),
        index=sequence,
        size=proof.head.size,
        proof=[bytes.fromhex(node) for node in proof.path],
        root=bytes.fromhex(proof.head.root),
    )
