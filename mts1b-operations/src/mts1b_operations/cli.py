"""The commands of this package. What they do lives elsewhere and is imported when they run."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from mts1b_platform.cli import emit
from mts1b_platform.exit_codes import ExitCode

from mts1b_operations.acts import (
    ActorOption,
    JsonOption,
    ReasonOption,
    ScopeArgument,
    YesOption,
    confirm,
    emit_done,
    home_of,
)
from mts1b_operations.audit_cli import audit
from mts1b_operations.errors import (
    BadSelection,
    HaltUnaudited,
    NotConfirmed,
    OperationsError,
    ResidueLeft,
    ScopeUnknown,
)
from mts1b_operations.flatten_cli import flatten, flatten_paper
from mts1b_operations.plain_text import for_terminal
from mts1b_operations.watchdog_cli import watchdog

if TYPE_CHECKING:
    from mts1b_foundation.risk import ResumeRequest

    from mts1b_operations.commands import HaltDone

__all__ = ["app", "cmd", "doctor", "report", "status", "why"]

cmd = typer.Typer(no_args_is_help=True, add_completion=False, help="Operate the running system.")
status = typer.Typer(add_completion=False, help="Show services, replay, funds and halts.")
doctor = typer.Typer(add_completion=False, help="Check everything that a run needs.")
why = typer.Typer(add_completion=False, help="Tell the whole story of an order, signal or fill.")
report = typer.Typer(no_args_is_help=True, add_completion=False, help="Make the report of a run.")
app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="The audit log and the watchdogs."
)
app.add_typer(audit, name="audit")
app.add_typer(watchdog, name="watchdog")


@cmd.callback()
def _quiet() -> None:
    from mts1b_platform.config import LogSettings
    from mts1b_platform.logging import configure_logging

    configure_logging(LogSettings(format="console", level="WARNING"))


@cmd.command()
def halt(
    scope: ScopeArgument = None,
    reason: ReasonOption = "",
    operator: ActorOption = "terminal",
    yes: YesOption = False,
    keep_orders: Annotated[
        bool, typer.Option("--keep-orders", help="leave open orders where they are")
    ] = False,
    reduce_only: Annotated[
        bool, typer.Option("--reduce-only", help="let orders pass that only reduce a position")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Stop trading at once and cancel what is open; works with the bus down.

    It stays stopped until a signed resume. Exit code 1 while an order may still be open.
    """
    from mts1b_operations import commands
    from mts1b_operations.scopes import scope_named, unknown_scope

    home = home_of()
    chosen = scope_named(home, scope)
    text = confirm("HALT", f"halt {chosen}", yes=yes, reason=reason)
    done = asyncio.run(
        commands.halt(
            home,
            chosen,
            reason=text,
            actor=f"operator:{operator}",
            cancel=not keep_orders,
            reduce_only=reduce_only,
            in_force=partial(_told_at_once, chosen, as_json),
        )
    )
    unknown = unknown_scope(home, chosen)
    lines = [
        f"HALTED {chosen} ({done.active.halt_id}); {_REACHED[done.reached]}",
        *([done.unreadable] if done.unreadable else []),
        *([f"look at the spelling: {unknown}"] if unknown else []),
        _senders_text(done, cancelled=not keep_orders),
        f"resume with: mts cmd resume {'' if scope is None else scope + ' '}--operator NAME"
        f"{' --cosigner NAME' if chosen == 'firm' else ''}",
    ]
    stray = "" if chosen.startswith("symbol:") else unknown  # a symbol may come from outside
    failure = _halt_failure(done, cancelled=not keep_orders, unknown=stray)
    facts = _halt_facts(done) | {"unknown": unknown}
    emit_done(facts, as_json, text="\n".join(lines), failure=failure)


def _told_at_once(scope: str, as_json: bool) -> None:
    line = f"{scope} is halted from now on; telling who sends orders"
    with contextlib.suppress(OSError, ValueError):  # nobody to tell is no reason to stop halfway
        if not as_json:
            print(for_terminal([line]), file=sys.stderr, flush=True)


_REACHED = {
    "bus": "the operations service has it",
    "local": "the operations service did not answer: the local record stops every order, "
    "and the halt is in the audit log",
    "record": "the local record stops every order",
}


def _halt_facts(done: HaltDone) -> dict[str, Any]:
    return {
        "halt": done.active.model_dump(mode="json"),
        "reached": done.reached,
        "confirmed": list(done.confirmed),
        "silent": list(done.silent),
        "canceled": list(done.canceled),
        "residue": list(done.residue),
        "unaudited": done.unaudited,
        "unreadable": done.unreadable,
    }


def _halt_failure(done: HaltDone, *, cancelled: bool, unknown: str) -> OperationsError | None:
    """Return what is left to see to after a halt, the worst first, or None."""
    left: list[OperationsError] = []
    if done.silent:
        rest = "; its open orders were not cancelled: look at the venue" if cancelled else ""
        names = ", ".join(done.silent)
        left.append(
            ResidueLeft(
                f"no answer from {names} in two seconds: its lease has ended, so it sends "
                f"nothing{rest}"
            )
        )
    if done.residue:
        left.append(ResidueLeft(f"these orders may still be open: {', '.join(done.residue)}"))
    if unknown:
        left.append(
            ScopeUnknown(f"the halt is in force, but stops nothing that is configured: {unknown}")
        )
    if done.unaudited:
        later = (
            "the halt of everything stands for it"
            if done.unreadable
            else "operations writes it there when it answers or starts again"
        )
        left.append(
            HaltUnaudited(
                f"the halt is in force and not in the audit log: {done.unaudited}; {later}"
            )
        )
    return type(left[0])("; also, ".join(map(str, left))) if left else None


def _senders_text(done: HaltDone, *, cancelled: bool) -> str:
    if not done.confirmed and not done.silent:
        return "no sender runs here; what rests at a venue was not cancelled"
    told = f"stopped: {', '.join(done.confirmed) or 'nobody'}"
    if done.silent:
        told += f"; no answer: {', '.join(done.silent)}"
    return f"{told}; canceled {len(done.canceled)} orders" if cancelled else told


@cmd.command()
def resume(
    scope: ScopeArgument = None,
    operator: Annotated[str, typer.Option(help="whose key signs; see operator-key")] = "",
    cosigner: Annotated[str, typer.Option(help="the second operator, for the firm")] = "",
    out: Annotated[
        Path | None, typer.Option(help="sign only, and write the request for a second operator")
    ] = None,
    reason: ReasonOption = "resumed by operator",
    as_json: JsonOption = False,
) -> None:
    """End a halt, signed with an operator's key; the firm takes two operators."""
    from mts1b_operations import commands
    from mts1b_operations.scopes import scope_named

    if not operator:
        raise NotConfirmed("a resume is signed: give --operator NAME (see `mts cmd operator-key`)")
    home = home_of()
    chosen = scope_named(home, scope)
    if out is not None:
        half = commands.sign_only(home, chosen, operator=operator, reason=reason)
        try:
            out.write_text(half.model_dump_json(indent=1))
        except OSError as error:
            raise BadSelection(f"{out} can not be written: {error.strerror}") from error
        text = f"signed; next: mts cmd cosign {out} --operator NAME"
        emit(half.model_dump(mode="json"), as_json, text=text)
        return
    request = asyncio.run(
        commands.resume(home, chosen, operator=operator, reason=reason, cosigner=cosigner)
    )
    text = f"resumed {chosen}, signed by {request.cosigned_by} with key {request.key_id}"
    if request.second is not None:
        text += f", and by {request.second.signed_by} with key {request.second.key_id}"
    _emit_resumed(home, request, as_json, text)


def _emit_resumed(home: Path, request: ResumeRequest, as_json: bool, text: str) -> None:
    """Say what was resumed, and what is halted all the same."""
    from mts1b_platform.halt import HaltStore

    from mts1b_operations.halt_record import active_halts
    from mts1b_operations.places import HALT_FOLDER

    left = list(dict.fromkeys(h.scope for h in active_halts(HaltStore(home / HALT_FOLDER))))
    facts = request.model_dump(mode="json") | {"still_halted": left}
    emit(facts, as_json, text=f"{text}\nstill halted: {', '.join(left) or 'nothing'}")


@cmd.command()
def cosign(
    request: Annotated[Path, typer.Argument(help="what `mts cmd resume --out` wrote")],
    operator: Annotated[str, typer.Option(help="the second operator; see operator-key")] = "",
    as_json: JsonOption = False,
) -> None:
    """Sign a resume as the second operator, and carry it out."""
    from mts1b_foundation.risk import ResumeRequest

    from mts1b_operations import commands

    if not operator:
        raise NotConfirmed("a resume is signed: give --operator NAME (see `mts cmd operator-key`)")
    try:
        half = ResumeRequest.model_validate_json(request.read_bytes())
    except (OSError, ValueError) as error:
        raise BadSelection(f"{request} is no signed resume: {error}") from error
    home = home_of()
    done = asyncio.run(commands.cosign(home, half, operator=operator))
    text = f"resumed {done.scope}, signed by {done.cosigned_by} and operator:{operator}"
    _emit_resumed(home, done, as_json, text)


@cmd.command("cancel-all")
def cancel_all(
    scope: ScopeArgument = None,
    reason: ReasonOption = "",
    operator: ActorOption = "terminal",
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Cancel every open order; exit code 1 while any may still be open."""
    from mts1b_operations import commands
    from mts1b_operations.scopes import scope_named

    home = home_of()
    chosen = scope_named(home, scope)
    text = confirm("CANCEL", f"cancel all orders of {chosen}", yes=yes, reason=reason)
    reply = asyncio.run(
        commands.cancel_all(home, scope=chosen, reason=text, actor=f"operator:{operator}")
    )
    left = ", ".join(reply.residue)
    failure = ResidueLeft(f"these orders may still be open: {left}") if left else None
    told = f"canceled {len(reply.canceled)} orders"
    emit_done(reply.model_dump(mode="json"), as_json, text=told, failure=failure)


cmd.command()(flatten)
cmd.command("flatten-paper")(flatten_paper)


@cmd.command("restart-all")
def restart_all(as_json: JsonOption = False) -> None:
    """Restart the five services one after another; the supervisor starts them again."""
    from mts1b_operations import restart

    done = asyncio.run(restart.restart_all(home_of()))
    lines = [f"{name}: pid {old} -> {new}" for name, (old, new) in done.items()]
    pids = {name: {"old": old, "new": new} for name, (old, new) in done.items()}
    emit(pids, as_json, text="\n".join(lines))


@cmd.command("operator-key")
def operator_key(
    name: Annotated[str, typer.Argument(help="the operator's name")], as_json: JsonOption = False
) -> None:
    """Create the Ed25519 key that signs an operator's resumes; an existing key stays."""
    from mts1b_operations import commands

    key_id, path, new = commands.create_operator_key(home_of(), name)
    facts = {"operator": name, "key_id": key_id, "file": str(path), "created": new}
    emit(facts, as_json, text=f"{'created' if new else 'kept'} key {key_id} of {name} in {path}")


@cmd.command("signal-key")
def signal_key(
    source: Annotated[str, typer.Argument(help="a source of api.signals")],
    as_json: JsonOption = False,
) -> None:
    """Create the secret with which a source signs its signals; an existing one stays."""
    from mts1b_operations.signals import create_signal_key

    path, new = create_signal_key(home_of(), source)
    facts = {"source": source, "file": str(path), "created": new}
    emit(facts, as_json, text=f"{'created' if new else 'kept'} the secret of {source} in {path}")


@status.command()
def run_status(as_json: JsonOption = False) -> None:
    """Show services, replay, funds and halts; exit code 1 when any of it is red or not known."""
    from mts1b_operations.status import collect_status, status_lines

    found = collect_status(home_of())
    red = any(service["state"] == "red" for service in found["services"])
    red = red or found["crashed"] is not None or found["given_up"] != ""
    red = red or found["store"] not in ("ok", "none yet") or found["halt_record"] != "ok"
    found["exit_code"] = int(ExitCode.FAILED if red else ExitCode.OK)
    emit(found, as_json, text=for_terminal(status_lines(found)))
    if red:
        raise typer.Exit(ExitCode.FAILED)


@doctor.command()
def run_doctor(as_json: JsonOption = False) -> None:
    """Check everything that a run needs; exit code 1 when something fails."""
    from mts1b_platform.clock import SystemClock

    from mts1b_operations.doctor import Verdict, examine

    found = examine(home_of(), environ=os.environ, clock=SystemClock())
    rows = [
        {"check": f.check, "verdict": f.verdict.value, "detail": f.detail, "remedy": f.remedy}
        for f in found
    ]
    lines = [
        f"{f.verdict.value:<5} {f.check:<8} {f.detail}{f'  -> {f.remedy}' if f.remedy else ''}"
        for f in found
    ]
    failed = any(f.verdict is Verdict.FAIL for f in found)
    code = ExitCode.FAILED if failed else ExitCode.OK
    emit(rows, as_json, text="\n".join(lines), code=code)
    if failed:
        raise typer.Exit(code)


@why.command()
def run_why(
    identifier: Annotated[str, typer.Argument(help="order, signal or fill id")],
    as_json: JsonOption = False,
) -> None:
    """Tell the whole story of an order: signal, gates, decision, venue, fills, position, NAV."""
    from mts1b_operations.audit.reader import AuditReader
    from mts1b_operations.why import explain, lines_of

    with AuditReader(home_of()) as reader:
        story = explain(reader, identifier)
    emit(story.as_dict(), as_json, text=for_terminal(lines_of(story)))


@report.callback()
def _report() -> None:
    pass


@report.command()
def build(
    open_it: Annotated[bool, typer.Option("--open", help="open it in the browser")] = False,
    as_json: JsonOption = False,
) -> None:
    """Write reports/run.html and print the summary; exit code 1 when the log is not intact."""
    from mts1b_operations.report import build_report
    from mts1b_operations.summary import summary

    home = home_of()
    figures = summary(home)
    try:
        path = build_report(home, figures=figures)
    except OSError as error:
        raise BadSelection(f"the report can not be written: {error}") from error
    code = ExitCode.OK if figures.verification.verified else ExitCode.FAILED
    if as_json:
        data: dict[str, Any] = figures.model_dump(mode="json")
        for fund in data["funds"]:
            del fund["curve"]
        emit(data | {"report": str(path), "exit_code": int(code)}, True)
    else:
        from mts1b_operations.terminal import print_summary

        print_summary(figures, path)
    if open_it:
        typer.launch(path.as_uri())
    if code is not ExitCode.OK:
        raise typer.Exit(code)
