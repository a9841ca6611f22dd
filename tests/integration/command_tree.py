"""Run every command of ``mts`` in one home, each in a fork of this process, and tell what came.

``python -m tests.integration.command_tree HOME SITUATION`` prints one JSON object a command.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import sys
from collections.abc import Callable, Iterator
from enum import Enum
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from mts1b_platform import cli
from typer.main import get_command

ENDLESS = (("up",), ("paper",), ("service", "run"), ("bus", "serve"))
"""What runs until it is told to stop."""

ODD = "Größe \U0001f4a5\udcff\n\x1b[31m" + "n" * 20_000
PATIENCE_S = 60
AT_ONCE = 32

Words = tuple[str, ...]


def commands() -> list[tuple[Words, Any]]:
    """Return every command with its words, in the order of the help."""
    root = get_command(cli.root)
    return list(_below(root, (), root.context_class(root, info_name="mts")))


def _below(group: Any, path: Words, ctx: Any) -> Iterator[tuple[Words, Any]]:
    if not hasattr(group, "list_commands"):
        yield path, group
        return
    for name in group.list_commands(ctx):
        below = group.get_command(ctx, name)
        yield from _below(
            below, (*path, name), below.context_class(below, parent=ctx, info_name=name)
        )


def complete(path: Words, command: Any, text: str | None) -> list[str]:
    """Return a command line that is complete; with ``text``, every word that may be odd is."""
    words = list(path)
    for parameter in command.params:
        if "--yes" in parameter.opts:
            words.append("--yes")
        elif "--reason" in parameter.opts:
            words += ["--reason", text or "why"]
        elif not getattr(parameter, "is_flag", False) and (parameter.required or text):
            named = parameter.param_type_name == "option"
            value = _value(parameter.type_descriptor.annotation, text)
            words += [parameter.opts[0], value] if named else [value]
    return [*words, "--json"]


def _value(kind: Any, text: str | None) -> str:
    if isinstance(kind, type) and issubclass(kind, Enum):
        return str(next(iter(kind)).value)
    if get_origin(kind) is Literal:
        return str(get_args(kind)[0])
    if kind in (int, float):
        return "1" if text is None else "9" * 30 if kind is int else "1e300"
    return text or "x"


def _nothing() -> None:
    pass


def _no_rights() -> None:
    """Give up what lets root write where the mode says no; nobody else has such a right."""
    header, none = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
    ctypes.CDLL(None).capset(header, none)


def _full_disk() -> None:
    """Let no file grow beyond a page."""
    sys.dont_write_bytecode = True  # Python would take the part that fits for all of a module
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))


SITUATIONS: dict[str, tuple[Callable[[], None], str | None]] = {
    "plain": (_nothing, None),
    "odd words": (_nothing, ODD),
    "read only": (_no_rights, None),
    "full disk": (_full_disk, None),
}


def _be(words: list[str], home: Path, prepare: Callable[[], None], pipes: tuple[int, int]) -> None:
    """Be one command, in a fork, to the end of the process."""
    signal.alarm(PATIENCE_S)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for number, pipe in enumerate(pipes, start=1):
        os.dup2(pipe, number)
    sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
    sys.stderr = os.fdopen(2, "w", encoding="utf-8", errors="backslashreplace", closefd=False)
    os.environ["MTS_HOME"] = str(home)
    os.chdir(home)
    prepare()
    sys.argv = ["mts", *words]
    code = 0
    try:
        cli.main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0
    sys.stdout.flush()
    os._exit(code)


def _start(words: list[str], home: Path, prepare: Callable[[], None]) -> tuple[int, int, int]:
    out, err = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        try:
            _be(words, home, prepare, (out[1], err[1]))
        except BaseException:  # what no command may do is told, and ends no other command
            sys.excepthook(*sys.exc_info())
        os._exit(99)
    os.close(out[1])
    os.close(err[1])
    return child, out[0], err[0]


def _said(pipe: int) -> str:
    with os.fdopen(pipe, "rb") as file:
        return file.read().decode("utf-8", "backslashreplace")


def main(home: Path, situation: str) -> None:
    """Run all commands, some at once: what they share must stand that."""
    prepare, text = SITUATIONS[situation]
    fails = not (home / "mts.yaml").exists()
    todo = [
        complete(path, command, text)
        for path, command in commands()
        if path not in ENDLESS or (fails and situation == "read only")
    ]
    while todo:
        now, todo = todo[:AT_ONCE], todo[AT_ONCE:]
        started = [(words, _start(words, home, prepare)) for words in now]
        for words, (child, out, err) in started:
            said, told = _said(out), _said(err)
            code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            line = " ".join(word[:40] for word in words)
            print(json.dumps({"words": line, "code": code, "out": said, "err": told}), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
