"""What the commands that act share: options, the typed confirmation, what is told at the end."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from mts1b_platform.cli import emit

from mts1b_operations.errors import NotConfirmed, OperationsError
from mts1b_operations.plain_text import sendable

__all__ = [
    "ActorOption",
    "JsonOption",
    "ReasonOption",
    "ScopeArgument",
    "YesOption",
    "confirm",
    "emit_done",
    "home_of",
]

JsonOption = Annotated[bool, typer.Option("--json", help="print JSON")]
YesOption = Annotated[bool, typer.Option("--yes", help="do not ask; needs --reason")]
ReasonOption = Annotated[str, typer.Option(help="why, for the audit log", callback=sendable)]
ActorOption = Annotated[
    str, typer.Option("--operator", help="your name, for the audit log", callback=sendable)
]
ScopeArgument = Annotated[
    str | None,
    typer.Argument(
        help="a fund or strategy id, venue:NAME or symbol:SYMBOL; the whole firm without it"
    ),
]


def home_of() -> Path:
    """Return the MTS_HOME of this command."""
    from mts1b_platform.config import mts_home

    return mts_home(os.environ)


def confirm(word: str, what: str, *, yes: bool, reason: str) -> str:
    """Return the reason once the act is confirmed.

    :raises NotConfirmed: without a terminal and --yes, for a wrong word, or without a reason.
    """
    if yes:
        if not reason:
            raise NotConfirmed("--yes needs --reason TEXT, which goes into the audit log")
        return reason
    if not sys.stdin.isatty():
        raise NotConfirmed(f"no terminal to confirm at; give --yes --reason TEXT to {what}")
    if typer.prompt(f"type {word} to {what}") != word:
        raise NotConfirmed(f"that was not {word}; nothing was done")
    return reason or "confirmed at the terminal"


def emit_done(facts: Any, as_json: bool, *, text: str, failure: OperationsError | None) -> None:
    """Print what was done; what failed all the same is told last, in JSON in the same object.

    :raises OperationsError: the failure, or, when it is told already, the exit with its code.
    """
    if failure is None or not as_json:
        emit(facts, as_json, text=text)
    if failure is None:
        return
    if not as_json:
        raise failure
    from mts1b_platform.security import redact

    code = int(failure.exit_code)
    told = {"error": type(failure).__name__, "message": redact(str(failure)), "exit_code": code}
    emit(facts | told, True)
    raise typer.Exit(code)
