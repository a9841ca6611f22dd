"""``audit prove`` and ``audit check``: hand one entry over, and look at what was handed over."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer
from mts1b_platform.cli import emit
from mts1b_platform.exit_codes import ExitCode

from mts1b_operations.errors import ProofRefused

__all__ = ["check", "prove"]

JsonOption = Annotated[bool, typer.Option("--json", help="print JSON")]


def prove(
    sequence: Annotated[int, typer.Argument(min=0, help="the entry, as `audit show` numbers it")],
    out: Annotated[Path, typer.Option(help="the file to write")] = Path("proof.json"),
    as_json: JsonOption = False,
) -> None:
    """Write the proof that an entry is in the log, for somebody who has only the log's key.

    The log is verified first: one that is not intact proves nothing.
    """
    from mts1b_platform.config import mts_home
    from mts1b_platform.rng import SystemRng
    from mts1b_platform.signing import KeyRing

    from mts1b_operations.audit.checkpoint import AUDIT_KEY
    from mts1b_operations.audit.inclusion import prove_entry
    from mts1b_operations.audit.reader import AuditReader
    from mts1b_operations.places import KEY_FOLDER

    home = mts_home(os.environ)
    with AuditReader(home) as reader:
        proof = prove_entry(reader, KeyRing(home / KEY_FOLDER, SystemRng()), sequence)
    try:
        _write(out, proof.model_dump_json(indent=1) + "\n")
    except OSError as error:
        raise typer.BadParameter(f"{out} can not be written: {error}") from error
    key = home / KEY_FOLDER / f"{AUDIT_KEY}.pub"
    text = (
        f"entry {sequence} under the signed root of {proof.head.size} entries, in {out}\n"
        f"hand the log's public key ({key}) over by another way; who has both runs\n"
        f"mts mts1b-operations audit check {out} --public-key KEY"
    )
    facts = {"sequence": sequence, "file": str(out), "size": proof.head.size}
    emit(facts | {"root": proof.head.root, "key_id": proof.head.key_id}, as_json, text=text)


def check(
    proof: Annotated[Path, typer.Argument(help="what `audit prove` wrote")],
    public_key: Annotated[
        str, typer.Option(help="the log's Ed25519 key: 64 hex digits, or a file that holds them")
    ],
    as_json: JsonOption = False,
) -> None:
    """Check a proof without the log; exit code 1 and what is wrong if it does not hold."""
    from pydantic import ValidationError

    from mts1b_operations.audit.inclusion import InclusionProof, check_proof

    key = _key(public_key)
    try:
        given = InclusionProof.model_validate_json(proof.read_bytes())
    except OSError as error:
        raise typer.BadParameter(f"{proof} can not be read: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise typer.BadParameter(f"{proof} is no proof: {where}: {first['msg']}") from error
    head = given.head
    try:
        entry = check_proof(given, key)
    except ProofRefused as error:
        emit({"proven": False, "reason": str(error)}, as_json, text=f"false: {error}")
        raise typer.Exit(ExitCode.FAILED) from error
    facts = {"proven": True, "entry": entry, **head.model_dump(mode="json", exclude={"signature"})}
    text = (
        f"true: entry {entry['sequence']} is in the log of {head.size} entries that key "
        f"{head.key_id} signed at {head.created_at:%Y-%m-%d %H:%M:%S} UTC\n{given.entry}"
    )
    emit(facts, as_json, text=text)


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


def _write(target: Path, text: str) -> None:
    partial = target.with_name(f"{target.name}.partial")
    partial.write_text(text, encoding="utf-8")
    os.replace(partial, target)
