"""``mts mts1b-operations audit``: show, tail, verify, prove and export the log."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from mts1b_platform.cli import emit
from mts1b_platform.exit_codes import ExitCode

from mts1b_operations.audit_proof_cli import check, prove, prove_growth
from mts1b_operations.errors import ChainIntegrityError, NotFound
from mts1b_operations.plain_text import for_terminal

if TYPE_CHECKING:
    from mts1b_operations.audit.entry import AuditEntry
    from mts1b_operations.audit.reader import AuditReader

__all__ = ["audit"]

JsonOption = Annotated[bool, typer.Option("--json", help="print JSON")]
_MOST = 1_000_000
_FAILED = {"exit_code": int(ExitCode.FAILED)}

audit = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Show and verify the audit log."
)
audit.command()(prove)
audit.command()(prove_growth)
audit.command()(check)


def _reader() -> AuditReader:
    from mts1b_platform.config import mts_home

    from mts1b_operations.audit.reader import AuditReader

    return AuditReader(mts_home(os.environ))


def _print(entries: Iterable[AuditEntry], as_json: bool) -> None:
    from mts1b_operations.audit.entry import canonical_json

    found = list(entries)
    lines = [
        f"{e.sequence:>7}  {e.timestamp:%Y-%m-%d %H:%M:%SZ}  {e.actor:<18} {e.action:<18} "
        f"{e.subject_id}  {canonical_json(e.data)}"
        for e in found
    ]
    emit([entry.as_dict() for entry in found], as_json, text=for_terminal(lines))


@audit.command()
def show(
    subject_id: Annotated[str, typer.Option("--subject-id", help="order, fund, signal, scope")],
    as_json: JsonOption = False,
) -> None:
    """Show every entry of one subject, oldest first."""
    with _reader() as reader:
        trail = reader.trail(subject_id)
    if not trail:
        raise NotFound(f"the audit log has nothing on {subject_id!r}")
    _print(trail, as_json)


@audit.command()
def tail(
    count: Annotated[
        int, typer.Option("--lines", "-n", min=1, max=_MOST, help="how many entries")
    ] = 20,
    as_json: JsonOption = False,
) -> None:
    """Show the last entries."""
    with _reader() as reader:
        _print(reader.tail(count), as_json)


@audit.command()
def verify(
    from_sequence: Annotated[
        int, typer.Option("--from-sequence", min=0, help="take earlier entries at their hash")
    ] = 0,
    expect_head: Annotated[
        str, typer.Option(metavar="SIZE:ROOT", help="a head of this log that was kept elsewhere")
    ] = "",
    as_json: JsonOption = False,
) -> None:
    """Re-derive the log from its stored bytes; exit code 1 and the first bad index if it fails.

    Who has the whole machine can put all of it back to an older state, or empty it: that shows
    only against a head that was kept elsewhere.
    """
    from mts1b_operations.audit.checkpoint import Head

    try:
        expected = Head.parse(expect_head) if expect_head else None
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--expect-head") from error
    with _reader() as reader:
        try:
            size, root = reader.verify(from_sequence, expected=expected)
        except ChainIntegrityError as error:
            bad = {"verified": False, "index": error.index, "reason": error.reason}
            emit(bad | _FAILED, as_json, text=f"false: {error}")
            raise typer.Exit(ExitCode.FAILED) from error
    good = {"verified": True, "entries": size, "root": root}
    emit(good, as_json, text=f"true: {size} entries, root {root}")


@audit.command()
def head(as_json: JsonOption = False) -> None:
    """Print the newest signed head, SIZE:ROOT, to be kept where this machine can not change it."""
    from mts1b_operations.audit.checkpoint import Head

    with _reader() as reader:
        try:
            found = reader.head()
        except ChainIntegrityError as error:
            emit({"reason": error.reason} | _FAILED, as_json, text=f"false: {error}")
            raise typer.Exit(ExitCode.FAILED) from error
    if found is None:
        raise NotFound("the audit log has no signed head yet; try again later")
    text = str(Head(size=found.size, root=found.root))
    emit({"head": text, **found.model_dump(mode="json")}, as_json, text=text)


@audit.command()
def compare(
    theirs: Annotated[Path, typer.Argument(help="a copy of another reader's checkpoints file")],
    as_json: JsonOption = False,
) -> None:
    """Compare what another reader was shown with this log; exit code 1 and a proof if it differs.

    Everybody who reads the log should keep the file audit/checkpoints that he was shown.
    """
    from mts1b_platform.config import mts_home
    from mts1b_platform.rng import SystemRng
    from mts1b_platform.signing import KeyRing
    from pydantic import ValidationError

    from mts1b_operations.audit.split_view import View, compare_views, read_checkpoints
    from mts1b_operations.places import AUDIT_FOLDER, KEY_FOLDER

    home = mts_home(os.environ)
    ring = KeyRing(home / KEY_FOLDER, SystemRng())
    try:
        checkpoints = read_checkpoints(theirs)
        if not checkpoints:
            raise typer.BadParameter(f"{theirs} holds no checkpoint")
        with _reader() as reader:
            hashes = [row[1] for row in reader.rows()]
        view = compare_views(hashes, checkpoints, ring, evidence=home / AUDIT_FOLDER)
    except (OSError, ValidationError) as error:
        raise typer.BadParameter(f"{theirs} can not be read: {error}") from error
    except ChainIntegrityError as error:
        bad = {"same": False, "index": error.index, "reason": error.reason}
        emit(bad | _FAILED, as_json, text=f"false: {error}")
        raise typer.Exit(ExitCode.FAILED) from error
    if view is View.AHEAD:
        text = "false: they were shown a longer log; this one is old, or was cut"
        emit({"same": False, "reason": "this log is shorter"} | _FAILED, as_json, text=text)
        raise typer.Exit(ExitCode.FAILED)
    text = f"true: {len(checkpoints)} checkpoints are of this log"
    emit({"same": True, "checkpoints": len(checkpoints)}, as_json, text=text)


@audit.command()
def export(
    target: Annotated[Path, typer.Argument(help="the file to write")], as_json: JsonOption = False
) -> None:
    """Write the log to a file that verifier.py checks without this system."""
    from mts1b_platform.config import mts_home
    from mts1b_platform.rng import SystemRng
    from mts1b_platform.signing import KeyRing

    from mts1b_operations.audit import verifier
    from mts1b_operations.audit.export import export_log
    from mts1b_operations.places import KEY_FOLDER

    ring = KeyRing(mts_home(os.environ) / KEY_FOLDER, SystemRng())
    try:
        with _reader() as reader:
            count = export_log(reader, ring, target)
    except OSError as error:
        raise typer.BadParameter(f"{target} can not be written: {error}") from error
    text = f"{count} entries in {target}; check them with: python {verifier.__file__} {target}"
    emit({"entries": count, "file": str(target)}, as_json, text=text)
