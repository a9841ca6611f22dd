"""The ``mts`` command: one root, sub-commands found by entry point, loaded when they run."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Sequence
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from mts1b_platform.exit_codes import ExitCode

__all__ = ["CliError", "emit", "main", "root"]

_GROUP = "mts1b.cli"
JsonOption = Annotated[bool, typer.Option("--json", help="print JSON")]


class CliError(Exception):
    """The command line can not be served; the message says why."""

    exit_code = ExitCode.CONFIGURATION


@cache
def _found() -> dict[str, tuple[EntryPoint, ...]]:
    """Return the entry points of each command; more than one value means a conflict."""
    commands: dict[str, dict[str, EntryPoint]] = {}
    for point in entry_points(group=_GROUP):
        commands.setdefault(point.name, {})[point.value] = point
    return {name: tuple(points.values()) for name, points in commands.items()}


class LazyGroup(TyperGroup):
    """List the commands of every package; import a package only to run its command."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return all names: our own first."""
        own = super().list_commands(ctx)
        return [*own, *sorted(name for name in _found() if name not in own)]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a command; in the root's help, a stand-in that says what it does."""
        own = super().get_command(ctx, cmd_name)
        points = _found().get(cmd_name, ())
        if getattr(ctx, "mts_help_only", False):
            return own or TyperCommand(cmd_name, help=_summary(points), callback=lambda: None)
        if not points:
            return own
        if own is not None or len(points) > 1:
            raise CliError(_conflict(cmd_name, points, built_in=own is not None))
        from mts1b_platform.plugins import load_entry_point

        command = get_command(_app(load_entry_point(points[0]), points[0]))
        command.name = cmd_name
        return command

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Show the help without importing any package."""
        ctx.mts_help_only = True
        super().format_help(ctx, formatter)


def _app(found: Any, point: EntryPoint) -> typer.Typer:
    """Return what an entry point offers as an app; a function is one of one command."""
    if isinstance(found, typer.Typer):
        return found
    if not callable(found):
        raise CliError(f"`mts {point.name}`: {point.value} is neither a typer app nor a function")
    app = typer.Typer(add_completion=False)
    app.command()(found)
    return app


def _conflict(name: str, points: Sequence[EntryPoint], *, built_in: bool) -> str:
    owners = ["mts itself"] if built_in else []
    owners += [f"{point.dist.name if point.dist else '?'} ({point.value})" for point in points]
    return f"`mts {name}` is defined more than once: {', '.join(owners)}; uninstall all but one"


def _summary(points: Sequence[EntryPoint]) -> str:
    """Return what a command says of itself, else what its package does."""
    if len(points) > 1:
        return "(defined by more than one package)"
    from mts1b_platform.cli_help import help_in_source

    dist = points[0].dist
    package = "" if dist is None else str(dist.metadata["Summary"] or "")
    return help_in_source(points[0].value) or package


root = typer.Typer(
    cls=LazyGroup,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Run systematic trading funds: watch, halt, prove.",
)
config = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Check and show the settings."
)
service = typer.Typer(no_args_is_help=True, add_completion=False, help="Run services.")
bus = typer.Typer(no_args_is_help=True, add_completion=False, help="Run the message bus.")
root.add_typer(config, name="config")
root.add_typer(service, name="service")
root.add_typer(bus, name="bus")


def emit(data: Any, as_json: bool, *, text: str | None = None, code: int = ExitCode.OK) -> None:
    """Print a result: as one JSON object for programs, as ``text`` for people.

    The object holds ``exit_code``; a list is its ``items``.

    :param code: with what the command will end.
    """
    if as_json:
        facts = data if isinstance(data, dict) else {"items": list(data)}
        told = {"exit_code": int(code)} | facts
        print(json.dumps(told, indent=2, sort_keys=True, default=str))
    elif text is not None:
        print(text)
    else:
        for key, value in data.items() if isinstance(data, dict) else enumerate(data):
            print(f"{key}: {value}")


def emit_running(ctx: typer.Context, facts: dict[str, Any], as_json: bool, *, text: str) -> None:
    """Print where a command runs that has not ended: its one object, whatever ends it later."""
    ctx.ensure_object(dict)["told"] = True
    if as_json or text:
        print(json.dumps(facts) if as_json else text, flush=True)


@root.callback()
def _root() -> None:
    pass


@root.command()
def version(as_json: JsonOption = False) -> None:
    """Print the versions of the installed packages."""
    from importlib.metadata import distributions

    found = {
        item.metadata["Name"]: item.version
        for item in distributions()
        if (item.metadata["Name"] or "").lower().startswith("mts1b-")
    }
    lines = [f"{name}: {number}" for name, number in sorted(found.items())]
    emit({"packages": found}, as_json, text="\n".join(lines))


@root.command(name="exit-codes")
def exit_codes(as_json: JsonOption = False) -> None:
    """Print what every exit code means."""
    lines = [f"{int(code)}: {code.meaning}" for code in ExitCode]
    emit({"codes": {int(c): c.meaning for c in ExitCode}}, as_json, text="\n".join(lines))


@config.command()
def check(as_json: JsonOption = False) -> None:
    """Read the settings and say whether they are right, as the services that read them would."""
    from mts1b_platform.config import load_settings, mts_home
    from mts1b_platform.plugins import refusal_of, warnings_of

    home = mts_home(os.environ)
    settings = load_settings(home)
    refusal = refusal_of(settings)
    if refusal is not None:
        raise refusal
    warnings = warnings_of(settings)
    facts = {
        "home": str(home),
        "mode": settings.mode.value,
        "funds": [entry.fund.fund_id for entry in settings.funds],
        "strategies": [entry.strategy_id for entry in settings.strategies],
        "warnings": warnings,
    }
    right = (
        f"settings of {home} are right: mode {facts['mode']}, {len(settings.funds)} funds, "
        f"{len(settings.strategies)} strategies"
    )
    lines = [right, *(f"warning: {line}" for line in warnings)]
    emit(facts, as_json, text="\n".join(lines))


@config.command()
def show(as_json: JsonOption = False) -> None:
    """Print the settings in force, secrets masked."""
    import yaml

    from mts1b_platform.config import load_settings, masked, mts_home

    data = masked(load_settings(mts_home(os.environ)))
    emit(data, as_json, text=yaml.safe_dump(data, sort_keys=False).rstrip())


@config.command()
def schema(as_json: JsonOption = False) -> None:
    """Print every setting with its meaning, or the JSON Schema."""
    from mts1b_platform.config import Settings, described

    if as_json:
        emit(Settings.model_json_schema(), as_json)
    else:
        print("\n".join(described()))


@service.command(name="list")
def list_services(as_json: JsonOption = False) -> None:
    """List the services that are installed."""
    from mts1b_platform.plugins import plugin_names

    names = plugin_names("mts1b.services")
    emit(names, as_json, text="\n".join(names))


@service.command()
def run(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="a service, or all")],
    as_json: JsonOption = False,
) -> None:
    """Run a service (or all of them) in this process until it is told to stop."""
    from mts1b_platform.config import load_settings, mts_home, secret_values
    from mts1b_platform.logging import configure_logging
    from mts1b_platform.plugins import require_plugin
    from mts1b_platform.security import SecretRegistry
    from mts1b_platform.service.run import SERVICES, run_services

    home = mts_home(os.environ)
    settings = load_settings(home)
    configure_logging(settings.log, SecretRegistry(secret_values(settings)))
    if name != "all":
        require_plugin("mts1b.services", name)
    names = list(SERVICES) if name == "all" else [name]
    emit_running(ctx, {"services": names, "home": str(home)}, as_json, text="")
    run_services(names, home=home, settings=settings)


@bus.command()
def serve(
    ctx: typer.Context,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="0: the last one, or any free port")
    ] = 0,
    as_json: JsonOption = False,
) -> None:
    """Run a NATS server for this MTS_HOME in the foreground until it is told to stop."""
    import asyncio

    from mts1b_platform.config import mts_home
    from mts1b_platform.eventbus.server import NatsAddress, run_server

    def ready(address: NatsAddress) -> None:
        line = f"nats-server listens on {address.url}"
        emit_running(ctx, {"url": address.url}, as_json, text=line)

    asyncio.run(run_server(mts_home(os.environ), port, ready))


def main() -> None:
    """Run ``mts``. Whatever fails ends here as one line and a documented exit code."""
    as_json, state = "--json" in sys.argv, dict[str, bool]()
    try:
        code = root(standalone_mode=False, obj=state)
        sys.stdout.flush()
    except Exception as error:
        cause = _cause(error)
        number = _exit_code(cause)
        if number == ExitCode.INTERNAL and os.environ.get("MTS_TRACEBACK"):
            raise
        _report(cause, number, as_json and not state.get("told", False))
        raise SystemExit(number) from error
    raise SystemExit(code if isinstance(code, int) else ExitCode.OK)


def _cause(error: BaseException) -> BaseException:
    """Return what a group of one stands for."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


def _exit_code(error: BaseException) -> int:
    """Return the documented code of an error: its own, or that of its kind.

    Kinds are compared by name, so that no package is imported only to say what failed.
    """
    own = getattr(error, "exit_code", None)
    if isinstance(own, int):
        return int(own)
    if isinstance(error, typer.Abort):
        return int(ExitCode.INTERRUPTED)
    if isinstance(error, UnicodeEncodeError) and not _is_text(error.object):
        return int(ExitCode.USAGE)  # such a text comes from nowhere but the command line
    for kind in type(error).__mro__:
        code = _EXIT_CODES.get(f"{kind.__module__}.{kind.__qualname__}")
        if code is not None:
            return int(code)
    return int(ExitCode.INTERNAL)


_EXIT_CODES = {
    "mts1b_platform.eventbus.port.RemoteError": ExitCode.REFUSED,
    "mts1b_platform.eventbus.port.BusError": ExitCode.UNAVAILABLE,
    "mts1b_platform.store.engine.StoreError": ExitCode.UNAVAILABLE,
    "mts1b_platform.service.http.PortInUse": ExitCode.UNAVAILABLE,
    "mts1b_platform.pump.PumpStalled": ExitCode.UNAVAILABLE,
    "mts1b_platform.lockstep.LockstepError": ExitCode.REFUSED,
    "sqlalchemy.exc.IntegrityError": ExitCode.INTERNAL,
    "sqlalchemy.exc.ProgrammingError": ExitCode.INTERNAL,
    "sqlalchemy.exc.DBAPIError": ExitCode.UNAVAILABLE,
    "sqlalchemy.exc.TimeoutError": ExitCode.UNAVAILABLE,
    "builtins.OSError": ExitCode.UNAVAILABLE,
}


def _is_text(words: str) -> bool:
    """Return whether UTF-8 can hold it; the bytes of words in another encoding it can not."""
    return not any("\ud800" <= letter <= "\udfff" for letter in words)


def _report(error: BaseException, code: int, as_json: bool) -> None:
    from mts1b_platform.security import redact

    show = getattr(error, "show", None)
    if show is not None and not as_json:
        show()  # a usage error shows the usage with it
        return
    told = getattr(error, "format_message", error.__str__)()
    if isinstance(error, UnicodeEncodeError) and code == ExitCode.USAGE:
        told = f"the command line is not UTF-8: {error.object[:80]!r}"
    text = redact(" ".join(str(told).split())) or type(error).__name__
    kind = "" if code != ExitCode.INTERNAL else f"{type(error).__name__}: "
    hint = " (MTS_TRACEBACK=1 shows where)" if code == ExitCode.INTERNAL else ""
    line = f"error: {kind}{text}{hint}"
    try:
        if as_json:
            facts = {"error": type(error).__name__, "message": text, "exit_code": code}
            print(json.dumps(facts))
        sys.stdout.flush()
        if as_json:
            return
    except OSError:  # nobody reads it any more, or the disk is full; Python would try again
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    with contextlib.suppress(OSError):
        print(line, file=sys.stderr)


if __name__ == "__main__":
    main()
