"""What the documentation shows is true: snippets run, commands exist, links lead somewhere."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from mts1b_platform import cli
from typer.core import TyperGroup
from typer.main import get_command

ROOT = Path(__file__).resolve().parents[2]
RUNNER = Path(__file__).with_name("run_snippets.py")
LINK = re.compile(r"(?<!!)\[[^\]]*\]\((?!\w+:|#)([^)#\s]+)(?:#[^)]*)?\)")
COMMAND = re.compile(r"^\$ (?:\.venv/bin/)?(?P<program>mts|make)(?P<rest>( .*)?)$", re.MULTILINE)
WORD = re.compile(r"^[a-z][a-z0-9-]*$")
OPTION = re.compile(r"^--[a-z][a-z-]*$")


def _run(page_name: str, blocks: list[dict[str, Any]], folder: Path) -> str | None:
    """Run blocks in an empty folder with an empty home; return what went wrong."""
    environment = {**os.environ, "MTS_HOME": str(folder / "mts-home"), "HOME": str(folder)}
    done = subprocess.run(
        [sys.executable, str(RUNNER), page_name],
        input=json.dumps(blocks),
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    if done.returncode == 0:
        return None
    places = re.findall(rf'File "{re.escape(page_name)}", line (\d+)', done.stderr)
    last = done.stderr.strip().rpartition("\n")[2]
    return f"{page_name}:{places[0] if places else '?'}: {last}\n{done.stderr}"


def test_the_snippets_of_a_page_run(page: Any, tmp_path: Path) -> None:
    blocks = [{"line": one.line, "text": one.text} for one in page.fences("python")]
    failure = _run(page.name, blocks, tmp_path) if blocks else None
    assert failure is None, failure


def test_a_snippet_that_fails_is_told_with_its_line(tmp_path: Path) -> None:
    blocks = [{"line": 10, "text": "x = 1\n"}, {"line": 20, "text": "y = x\nassert y == 2\n"}]
    failure = _run("README.md", blocks, tmp_path)
    assert failure is not None
    assert failure.startswith("README.md:21: AssertionError")


def test_a_snippet_that_can_not_be_parsed_is_told(tmp_path: Path) -> None:
    assert "SyntaxError" in (_run("README.md", [{"line": 1, "text": "x = = 1\n"}], tmp_path) or "")


def _mts_knows(rest: str) -> bool:
    """Return whether ``mts`` has the command, and the command each option."""
    command = get_command(cli.root)
    context = command.context_class(command, info_name="mts")
    words = rest.partition(" #")[0].split()
    for word in words:
        if not isinstance(command, TyperGroup) or word.startswith("-"):
            break
        below = command.get_command(context, word)
        if below is None:
            return False
        command, context = below, below.context_class(below, parent=context, info_name=word)
    options = {name for one in command.params for name in (*one.opts, *one.secondary_opts)}
    given = {word for word in words if OPTION.match(word)}
    return given <= options | {"--json", "--help"}


@cache
def _make_targets() -> frozenset[str]:
    return frozenset(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def _known(program: str, rest: str) -> bool:
    if program == "make":
        return {word for word in rest.split() if WORD.match(word)} <= _make_targets()
    return _mts_knows(rest)


def test_the_commands_of_a_page_exist(page: Any) -> None:
    unknown = [
        f"{page.name}:{fence.line}: {found[0]}"
        for fence in page.fences("console")
        for found in COMMAND.finditer(fence.text.replace("\\\n", " "))
        if not _known(found["program"], found["rest"])
    ]
    assert unknown == []


@pytest.mark.parametrize("rest", [" no-such-command", " no-such-command halt"])
def test_a_command_that_does_not_exist_is_told(rest: str) -> None:
    assert not _known("mts", rest)
    assert not _known("make", rest)


def test_an_option_that_does_not_exist_is_told() -> None:
    assert _known("mts", " cmd halt FUND --yes")
    assert not _known("mts", " cmd halt FUND --sure")
    assert not _known("mts", " cmd stop FUND --yes")


def test_the_links_of_a_page_lead_somewhere(page: Any) -> None:
    targets = LINK.findall(page.path.read_text(encoding="utf-8"))
    assert [one for one in targets if not (page.path.parent / one).exists()] == []
