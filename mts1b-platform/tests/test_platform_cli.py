"""The ``mts`` command: lazy, with documented exit codes, one line for what fails."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mts1b_platform
import pytest
from mts1b_platform.exit_codes import ExitCode

BROKEN = "raise RuntimeError('imported')\n"


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True)
class Machine:
    """An MTS_HOME and a folder of installed packages."""

    home: Path
    site: Path

    def install(self, name: str, command: str, source: str) -> None:
        module = name.replace("-", "_")
        (self.site / f"{module}.py").write_text(source)
        info = self.site / f"{module}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\nSummary: The {name} commands.\n"
        )
        (info / "entry_points.txt").write_text(f"[mts1b.cli]\n{command} = {module}:app\n")

    def environ(self, **extra: str) -> dict[str, str]:
        path = str(self.site)
        return {"PATH": os.environ["PATH"], "MTS_HOME": str(self.home), "PYTHONPATH": path} | extra

    def mts(self, *arguments: str, **extra: str) -> Outcome:
        done = subprocess.run(
            [sys.executable, "-m", "mts1b_platform.cli", *arguments],
            env=self.environ(**extra),
            capture_output=True,
            text=True,
            timeout=60,
            stdin=subprocess.DEVNULL,
        )
        return Outcome(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    home, site = tmp_path / "home", tmp_path / "site"
    home.mkdir()
    site.mkdir()
    return Machine(home, site)


GREETS = """
import typer
app = typer.Typer()
@app.command()
def hello(name: str = "you"):
    print(f"hello {name}")
@app.command()
def fails(kind: str = "", as_json: bool = typer.Option(False, "--json")):
    if kind == "typed":
        from mts1b_platform.errors import Refused
        raise Refused("the fund is halted; resume it first, password=hunter2x")
    if kind == "bus":
        from mts1b_platform.eventbus.port import NoResponders
        raise NoResponders("nobody serves x")
    if kind == "remote":
        from mts1b_platform.eventbus.port import RemoteError
        raise RemoteError("DENIED", "not today")
    if kind == "group":
        from mts1b_platform.errors import RetryLater
        raise ExceptionGroup("g", [RetryLater("later")])
    if kind == "exit":
        raise typer.Exit(1)
    if kind == "disk":
        raise PermissionError(13, "Permission denied", "/home/db")
    if kind == "bytes":
        "Gr\\udcff\\udcdfe".encode()
    if kind == "abort":
        raise KeyboardInterrupt
    raise KeyError("oops")
@app.command()
def rows(as_json: bool = typer.Option(False, "--json")):
    from mts1b_platform.cli import emit
    emit([1, 2], as_json, code=5)
    raise typer.Exit(5)
"""


def test_the_roots_help_imports_no_package(machine: Machine) -> None:
    machine.install("pack-broken", "explode", BROKEN)
    helped = machine.mts("--help")
    assert helped.code == 0
    assert "The pack-broken commands." in helped.out
    for name in ("config", "service", "bus", "version"):
        assert name in helped.out


def test_the_roots_help_has_each_commands_own_words(machine: Machine) -> None:
    machine.install(
        "pack-talks",
        "talk",
        "import typer\nraise ImportError\napp = typer.Typer(help='Say what there is to say.')\n",
    )
    machine.install("pack-odd", "odd", "def (:")
    helped = machine.mts("--help")
    assert helped.code == 0
    assert "Say what there is to say." in helped.out
    assert "The pack-talks commands." not in helped.out
    assert "The pack-odd commands." in helped.out


def test_a_broken_package_breaks_only_its_own_command(machine: Machine) -> None:
    machine.install("pack-broken", "explode", BROKEN)
    machine.install("pack-greets", "greet", GREETS)
    broken = machine.mts("explode")
    assert broken.code == ExitCode.CONFIGURATION
    assert broken.err.startswith("error: mts1b.cli: 'explode' (pack_broken:app)")
    assert broken.err.count("\n") == 1
    greeted = machine.mts("greet", "hello", "--name", "Ada")
    assert (greeted.code, greeted.out) == (0, "hello Ada\n")


def test_a_command_may_be_a_function_and_nothing_that_can_not_be_called(machine: Machine) -> None:
    machine.install("pack-plain", "plain", 'def app(name: str = "you"):\n    print("hi", name)\n')
    machine.install("pack-five", "five", "app = 5\n")
    greeted = machine.mts("plain", "--name", "Ada")
    assert (greeted.code, greeted.out) == (0, "hi Ada\n")
    refused = machine.mts("five")
    assert refused.code == ExitCode.CONFIGURATION
    assert "pack_five:app" in refused.err
    assert "neither a typer app nor a function" in refused.err


def test_two_packages_of_one_command_are_told_only_when_it_is_used(machine: Machine) -> None:
    machine.install("pack-one", "twice", GREETS)
    machine.install("pack-two", "twice", GREETS)
    machine.install("pack-own", "config", GREETS)
    refused = machine.mts("twice", "hello")
    assert refused.code == ExitCode.CONFIGURATION
    assert "pack-one (pack_one:app)" in refused.err
    assert "pack-two (pack_two:app)" in refused.err
    assert "defined more than once: mts itself, pack-own" in machine.mts("config", "check").err
    assert machine.mts("version").code == 0
    assert machine.mts("--help").code == 0


@pytest.mark.parametrize(
    ("kind", "code", "told"),
    [
        ("typed", ExitCode.REFUSED, "the fund is halted; resume it first"),
        ("bus", ExitCode.UNAVAILABLE, "nobody serves x"),
        ("remote", ExitCode.REFUSED, "not today"),
        ("group", ExitCode.UNAVAILABLE, "later"),
        ("disk", ExitCode.UNAVAILABLE, "Permission denied: '/home/db'"),
        ("bytes", ExitCode.USAGE, "the command line is not UTF-8"),
        ("defect", ExitCode.INTERNAL, "KeyError: 'oops'"),
    ],
)
def test_what_fails_is_one_line_and_a_code(
    machine: Machine, kind: str, code: ExitCode, told: str
) -> None:
    machine.install("pack-greets", "greet", GREETS)
    plain = machine.mts("greet", "fails", "--kind", kind)
    assert plain.code == code
    assert told in plain.err
    assert plain.err.startswith("error: ")
    assert plain.err.count("\n") == 1
    assert plain.out == ""
    assert "hunter2x" not in plain.err


@pytest.mark.parametrize("words", [(), ("--json",)])
def test_ctrl_c_has_a_code_of_its_own_and_shows_no_source(
    machine: Machine, words: tuple[str, ...]
) -> None:
    machine.install("pack-greets", "greet", GREETS)
    stopped = machine.mts("greet", "fails", "--kind", "abort", *words)
    assert stopped.code == ExitCode.INTERRUPTED
    assert "Traceback" not in stopped.err + stopped.out


def test_with_json_what_fails_is_an_object(machine: Machine) -> None:
    machine.install("pack-greets", "greet", GREETS)
    failed = machine.mts("greet", "fails", "--kind", "typed", "--json")
    assert failed.code == ExitCode.REFUSED
    assert failed.data["exit_code"] == ExitCode.REFUSED
    assert failed.data["error"] == "Refused"
    assert "hunter2x" not in failed.out
    assert machine.mts("greet", "fails", "--kind", "exit", "--json").code == ExitCode.FAILED
    usage = machine.mts("greet", "nonsense", "--json")
    assert (usage.code, usage.data["exit_code"]) == (ExitCode.USAGE, ExitCode.USAGE)
    assert machine.mts("greet", "nonsense").code == ExitCode.USAGE


def test_every_command_prints_one_object_with_its_code(machine: Machine) -> None:
    machine.install("pack-greets", "greet", GREETS)
    shown = machine.mts("greet", "rows", "--json")
    assert (shown.code, shown.data) == (5, {"items": [1, 2], "exit_code": 5})
    assert machine.mts("config", "show", "--json").data["exit_code"] == 0


@pytest.mark.parametrize("words", [("version",), ("version", "--json"), ("nonsense", "--json")])
def test_an_output_that_takes_nothing_is_told_and_has_its_code(
    machine: Machine, words: tuple[str, ...]
) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "mts1b_platform.cli", *words],
            env=machine.environ(),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
        )
    assert done.returncode == (ExitCode.USAGE if "nonsense" in words else ExitCode.UNAVAILABLE)
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1


def test_a_defect_shows_where_when_asked(machine: Machine) -> None:
    machine.install("pack-greets", "greet", GREETS)
    shown = machine.mts("greet", "fails", MTS_TRACEBACK="1")
    assert "Traceback" in shown.err
    assert shown.code == 1


def test_settings_are_checked_shown_and_described(machine: Machine) -> None:
    checked = machine.mts("config", "check", "--json")
    assert checked.code == 0
    assert checked.data["mode"] == "paper"
    assert "risk.approval_ttl_s (number, default 2.0)" in machine.mts("config", "schema").out
    (machine.home / "mts.yaml").write_text("bus: {url: 'nats://tok-secret@h:1'}\n")
    shown = machine.mts("config", "show")
    assert "tok-secret" not in shown.out
    assert "kind: nats" in shown.out
    (machine.home / "mts.yaml").write_text("buss: {}\n")
    wrong = machine.mts("config", "check")
    assert wrong.code == ExitCode.CONFIGURATION
    assert "did you mean 'bus'" in wrong.err


def test_every_exit_code_is_documented(machine: Machine) -> None:
    listed = machine.mts("exit-codes", "--json").data
    assert listed["codes"] == {str(int(code)): code.meaning for code in ExitCode}
    assert machine.mts("version", "--json").data["packages"]["mts1b-platform"]


def test_an_unknown_service_is_told_with_the_known_ones(machine: Machine) -> None:
    refused = machine.mts("service", "run", "nonsense")
    assert refused.code == ExitCode.CONFIGURATION
    assert "no 'nonsense' in mts1b.services" in refused.err


def test_a_missing_server_binary_names_the_extra(machine: Machine) -> None:
    refused = machine.mts("bus", "serve", MTS_NATS_SERVER_BIN="/nowhere/nats-server")
    assert refused.code == ExitCode.CONFIGURATION
    assert "/nowhere/nats-server" in refused.err


async def serving(machine: Machine) -> tuple[asyncio.subprocess.Process, str]:
    """Start a bus, and return it with the address that it tells."""
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "mts1b_platform.cli", "bus", "serve", "--json"),
        env=machine.environ(),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert child.stdout is not None
    return child, json.loads(await child.stdout.readline())["url"]


async def test_the_bus_serves_in_the_foreground_until_it_is_told_to_stop(machine: Machine) -> None:
    child, url = await serving(machine)
    assert url.startswith("nats://127.0.0.1:")
    taken = machine.mts("bus", "serve")
    assert taken.code == ExitCode.UNAVAILABLE
    assert "already runs" in taken.err
    child.send_signal(signal.SIGTERM)
    _, errors = await child.communicate()
    assert (child.returncode, errors) == (0, b"")
    assert not (machine.home / "run" / "nats.json").exists()


async def test_a_command_that_has_told_where_it_runs_prints_no_second_object(
    machine: Machine,
) -> None:
    child, _ = await serving(machine)
    os.kill(json.loads((machine.home / "run" / "nats.json").read_text())["pid"], signal.SIGKILL)
    out, errors = await child.communicate()
    assert (child.returncode, out) == (ExitCode.UNAVAILABLE, b"")
    assert errors.startswith(b"error: ")
    (machine.home / "locks").touch()  # where a folder should be
    failed = machine.mts("service", "run", "operations", "--json")
    assert (failed.code, failed.data["services"]) == (ExitCode.UNAVAILABLE, ["operations"])
    assert "error: " in failed.err


def test_the_readme_lists_the_exit_codes() -> None:
    readme = (Path(__file__).parents[1] / "README.md").read_text()
    for code in ExitCode:
        assert f"| {int(code)} | {code.meaning}" in readme


def test_every_public_name_is_there() -> None:
    for name in mts1b_platform.__all__:
        assert getattr(mts1b_platform, name) is not None
    with pytest.raises(AttributeError, match="nonsense"):
        _ = mts1b_platform.nonsense
