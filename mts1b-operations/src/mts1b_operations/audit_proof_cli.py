"""``audit prove``, ``prove-growth`` and ``check``: what is handed over, and a look at it."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from mts1b_platform.cli import emit
from mts1b_platform.exit_codes import ExitCode

from mts1b_operations.errors import ProofRefused

if TYPE_CHECKING:
    from mts1b_platform.signing import KeyRing

    from mts1b_operations.audit.checkpoint import Checkpoint
    from mts1b_operations.audit.growth import GrowthProof, Proof
    from mts1b_operations.audit.inclusion import InclusionProof
    from mts1b_operations.audit.reader import AuditReader

__all__ = ["check", "prove", "prove_growth"]

JsonOption = Annotated[bool, typer.Option("--json", help="print JSON")]
OutOption = Annotated[Path, typer.Option(help="the file to write")]


def prove(
    sequence: Annotated[int, typer.Argument(min=0, help="the entry, as `audit show` numbers it")],
    out: OutOption = Path("proof.json"),
    as_json: JsonOption = False,
) -> None:
    """Write the proof that an entry is in the log, for somebody who has only the log's key.

    The log is verified first: one that is not intact proves nothing.
    """
    from mts1b_operations.audit.inclusion import prove_entry

    reader, ring = _log()
    with reader:
        proof = prove_entry(reader, ring, sequence)
    what = f"entry {sequence} under the signed root of {proof.head.size} entries"
    _hand_over(proof, out, what, as_json, sequence=sequence)


def prove_growth(
    older: Annotated[Path, typer.Argument(help="a proof, or a file of checkpoints, of before")],
    out: OutOption = Path("growth.json"),
    as_json: JsonOption = False,
) -> None:
    """Write the proof that nothing was rewritten since an older head, for whoever holds that one.

    The log is verified first: one that is not intact proves nothing.
    """
    from mts1b_operations.audit.growth import head_of
    from mts1b_operations.audit.growth import prove_growth as proof_since

    try:
        first = head_of(older)
    except (OSError, ValueError) as error:
        raise typer.BadParameter(f"{older} holds no signed head: {error}") from error
    reader, ring = _log()
    with reader:
        proof = proof_since(reader, ring, first)
    what = f"the log of {proof.head.size} entries holds the one of {first.size} unchanged"
    _hand_over(proof, out, what, as_json, first=first.size)


def _log() -> tuple[AuditReader, KeyRing]:
    from mts1b_platform.config import mts_home
    from mts1b_platform.rng import SystemRng
    from mts1b_platform.signing import KeyRing

    from mts1b_operations.audit.reader import AuditReader
    from mts1b_operations.places import KEY_FOLDER

    home = mts_home(os.environ)
    return AuditReader(home), KeyRing(home / KEY_FOLDER, SystemRng())


def _hand_over(proof: Proof, out: Path, what: str, as_json: bool, **facts: int) -> None:
    from mts1b_operations.audit import verifier

    partial = out.with_name(f"{out.name}.partial")
    try:
        partial.write_text(proof.model_dump_json(indent=1) + "\n", encoding="utf-8")
        os.replace(partial, out)
    except OSError as error:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
        raise typer.BadParameter(f"{out} can not be written: {error}") from error
    text = (
        f"{what}: {out}\n"
        "hand the log's public key, keys/audit.pub, over by another way; who has both runs\n"
        f"mts mts1b-operations audit check {out} --public-key KEY\n"
        f"or, without this system, {verifier.__file__}, which needs only Python"
    )
    emit({"file": str(out), **facts, **_facts_of(proof.head)}, as_json, text=text)


def check(
    proof: Annotated[Path, typer.Argument(help="what `prove` or `prove-growth` wrote")],
    public_key: Annotated[
        str, typer.Option(help="the log's Ed25519 key: 64 hex digits, or a file that holds them")
    ],
    as_json: JsonOption = False,
) -> None:
    """Check a proof without the log; exit code 1 and what is wrong if it does not hold."""
    from pydantic import ValidationError

    from mts1b_operations.audit.growth import GrowthProof, read_proof

    key = _key(public_key)
    try:
        given = read_proof(proof)
    except OSError as error:
        raise typer.BadParameter(f"{proof} can not be read: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise typer.BadParameter(f"{proof} is no proof: {where}: {first['msg']}") from error
    try:
        told = _grown(given, key) if isinstance(given, GrowthProof) else _entry(given, key)
    except ProofRefused as error:
        bad = {"proven": False, "reason": str(error), "exit_code": int(ExitCode.FAILED)}
        emit(bad, as_json, text=f"false: {error}")
        raise typer.Exit(ExitCode.FAILED) from error
    text, facts = told
    emit({"proven": True, **facts, **_facts_of(given.head)}, as_json, text=f"true: {text}")


def _entry(proof: InclusionProof, key: bytes) -> tuple[str, dict[str, Any]]:
    from mts1b_operations.audit.inclusion import check_proof

    entry = check_proof(proof, key)
    text = f"entry {entry['sequence']} is in the log of {_signed(proof.head)}\n{proof.entry}"
    return text, {"entry": entry}


def _grown(proof: GrowthProof, key: bytes) -> tuple[str, dict[str, Any]]:
    from mts1b_operations.audit.growth import check_growth

    check_growth(proof, key)
    text = (
        f"the log of {_signed(proof.head)} holds the one of {_signed(proof.first)}: "
        "its entries are the same, in the same places"
    )
    return text, {"first": _facts_of(proof.first)}


def _signed(head: Checkpoint) -> str:
    when = f"{head.created_at:%Y-%m-%d %H:%M:%S} UTC"
    return f"{head.size} entries that key {head.key_id} signed at {when}"


def _facts_of(head: Checkpoint) -> dict[str, Any]:
    return head.model_dump(mode="json", exclude={"signature"})


def _key(text: str) -> bytes:
    """Return the bytes of a public key, given as hex or as the name of a file with the hex."""
    try:
        path = Path(text)
        written = path.read_text().strip() if path.is_file() else text
        key = bytes.fromhex(written)
    except (OSError, ValueError):
        key = b""
    if len(key) != 32:
        raise typer.BadParameter(f"{text} is neither 64 hex digits nor a file that holds them")
    return key
