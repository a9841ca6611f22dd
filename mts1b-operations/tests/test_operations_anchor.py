"""A head that was kept elsewhere shows what the whole machine together can hide."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from mts1b_operations import cli
from mts1b_operations.audit.checkpoint import Head
from mts1b_operations.audit.packed import PackedHashes, pack
from operations_terminal import Run
from test_operations_chain import open_home, record
from typer.testing import CliRunner

EVIDENCE = ("db", "audit")


async def append(home: Path, count: int, *, first: int = 0) -> None:
    """Start on the log as it stands, append, sign, stop."""
    opened = await open_home(home)
    await opened.audit.append_many([record(first + n) for n in range(count)])
    await opened.audit.checkpoint()
    await opened.store.close()


def verify(home: Path, *words: str) -> tuple[int, dict[str, object]]:
    runner = CliRunner(env={"MTS_HOME": str(home)})
    done = runner.invoke(cli.app, ["audit", *words, "--json"])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, json.loads(done.output)


async def test_what_was_put_back_together_shows_against_the_head_of_before(tmp_path: Path) -> None:
    home, backup = tmp_path / "home", tmp_path / "backup"
    await append(home, 20)
    for name in EVIDENCE:
        shutil.copytree(home / name, backup / name)
    await append(home, 5)
    code, told = verify(home, "head")
    assert (code, str(told["head"]).partition(":")[0]) == (0, "25")
    head = str(told["head"])
    await append(home, 7)
    assert verify(home, "verify", "--expect-head", head)[0] == 0
    for name in EVIDENCE:
        shutil.rmtree(home / name)
        shutil.copytree(backup / name, home / name)
    assert verify(home, "verify")[0] == 0, "all that is here agrees with itself"
    code, told = verify(home, "verify", "--expect-head", head)
    assert (code, told["index"]) == (1, 20)
    assert "truncated" in str(told["reason"])
    await append(home, 40, first=50)  # and it goes on, as another log
    code, told = verify(home, "verify", "--expect-head", head)
    assert code == 1
    assert "were rewritten" in str(told["reason"])


async def test_a_log_that_was_emptied_with_all_that_lay_beside_it_shows_too(tmp_path: Path) -> None:
    await append(tmp_path, 20)
    head = str(verify(tmp_path, "head")[1]["head"])
    for name in EVIDENCE:
        shutil.rmtree(tmp_path / name)
    await append(tmp_path, 1)
    assert verify(tmp_path, "verify")[0] == 0
    code, told = verify(tmp_path, "verify", "--expect-head", head)
    assert (code, told["index"]) == (1, 1)


@pytest.mark.parametrize(
    "text",
    ["7", ":", f"7:{'ab' * 31}", f"-1:{'ab' * 32}", f"{'9' * 5000}:{'ab' * 32}", "7:" + "g" * 64],
)
def test_what_is_no_head_is_told(mts: Run, text: str) -> None:
    assert "SIZE:ROOT" in mts(cli.app, "audit", "verify", "--expect-head", text, code=2).output or (
        "64 hexadecimal digits"
        in mts(cli.app, "audit", "verify", "--expect-head", text, code=2).output
    )


def test_a_head_is_read_as_it_is_printed() -> None:
    head = Head(size=7, root="ab" * 32)
    assert Head.parse(f" {str(head).upper()}\n") == head


def test_a_log_without_a_signed_head_says_so(tmp_path: Path, mts: Run, home: Path) -> None:
    printed = mts(cli.app, "audit", "head").output.strip()
    assert mts(cli.app, "audit", "verify", "--expect-head", printed).output.startswith("true: ")


def test_packed_hashes_are_those_that_were_packed() -> None:
    digests = [f"{number:064x}" for number in range(7)]
    packed = pack(digests)
    assert [one.hex() for one in packed] == digests
    assert [one.hex() for one in packed[2:6][1:3]] == digests[3:5]
    assert (packed[-1].hex(), list(packed[9:]), list(pack([])[:3])) == (digests[6], [], [])
    with pytest.raises(IndexError):
        _ = packed[3:5][2]
    assert isinstance(packed[1:], PackedHashes)
