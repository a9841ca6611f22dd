"""A proof that the log only grew: whoever holds an older head needs nothing but the key."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mts1b_operations.audit import AuditReader, ChainIntegrityError, Checkpoint
from mts1b_operations.audit.growth import GrowthProof, check_growth, head_of, prove_growth
from mts1b_operations.cli import app
from mts1b_operations.errors import NotFound, ProofRefused
from mts1b_platform.rng import SystemRng
from mts1b_platform.signing import KeyRing
from test_operations_proof import ORDERS, OTHER_HASH, proven, public_key
from test_operations_split_view import log_of
from typer.testing import CliRunner


@pytest.fixture
async def home(tmp_path: Path) -> Path:
    return await log_of(tmp_path / "home", ORDERS)


def heads(home: Path) -> list[Checkpoint]:
    """Return the heads that were shown while the log grew, one for each size."""
    lines = (home / "audit" / "checkpoints").read_bytes().splitlines()
    known = {head.size: head for head in map(Checkpoint.model_validate_json, lines)}
    return [known[size] for size in sorted(known)]


def grown(home: Path, first: Checkpoint) -> GrowthProof:
    with AuditReader(home) as reader:
        return prove_growth(reader, KeyRing(home / "keys", SystemRng()), first)


def test_from_every_older_head_the_log_is_shown_to_have_grown(home: Path) -> None:
    shown = heads(home)
    assert [head.size for head in shown] == list(range(1, len(ORDERS) + 1))
    for first in shown:
        sent = grown(home, first).model_dump_json()
        check_growth(GrowthProof.model_validate_json(sent), public_key(home))


FORGERIES: list[tuple[Callable[[dict[str, Any]], object], str]] = [
    (lambda proof: proof["path"].__setitem__(0, OTHER_HASH), "the path does not lead"),
    (lambda proof: proof["path"].pop(), "the path does not lead"),
    (lambda proof: proof["path"].append(OTHER_HASH), "the path does not lead"),
    (lambda proof: proof["first"].update(root=OTHER_HASH), "the signed head was changed"),
    (lambda proof: proof["first"].update(size=6), "the signed head was changed"),
    (lambda proof: proof["head"].update(root=OTHER_HASH), "the signed head was changed"),
    (lambda proof: proof["head"].update(size=12), "the signed head was changed"),
    (lambda proof: proof["first"].update(key_id="f" * 16), "signed with another key"),
]


@pytest.mark.parametrize(("forge", "reason"), FORGERIES)
def test_no_part_of_it_can_be_changed(
    home: Path, forge: Callable[[dict[str, Any]], object], reason: str
) -> None:
    proof = json.loads(grown(home, heads(home)[4]).model_dump_json())
    forge(proof)
    with pytest.raises(ProofRefused, match=reason):
        check_growth(GrowthProof.model_validate(proof), public_key(home))


async def test_j2_a_log_that_was_rewritten_under_its_own_key_has_no_proof(
    home: Path, tmp_path: Path
) -> None:
    rewritten = [*ORDERS[:3], "o-changed", *ORDERS[4:], "o-new"]
    other = await log_of(tmp_path / "other", rewritten, home)
    with AuditReader(other) as reader:
        assert reader.verify()[0] == 12, "alone it looks intact"
    check_growth(grown(other, heads(home)[2]), public_key(home))
    with pytest.raises(ChainIntegrityError, match="another log with 4 entries") as caught:
        grown(other, heads(home)[3])
    assert caught.value.index == 3
    forged = grown(home, heads(home)[3]).with_(head=heads(other)[-1])
    with pytest.raises(ProofRefused, match="or the log was rewritten"):
        check_growth(forged, public_key(home))


async def test_j1_a_shorter_log_and_a_strange_head_have_no_proof(
    home: Path, tmp_path: Path
) -> None:
    short = await log_of(tmp_path / "short", ORDERS[:3], home)
    with pytest.raises(NotFound, match="of 11 entries, this log has 3"):
        grown(short, heads(home)[-1])
    stranger = await log_of(tmp_path / "stranger", ORDERS)
    with pytest.raises(ChainIntegrityError, match="not signed by the log's key"):
        grown(home, heads(stranger)[0])


async def test_the_commands_say_what_they_did_and_what_is_wrong(home: Path, tmp_path: Path) -> None:
    key, file, older = public_key(home).hex(), tmp_path / "growth.json", tmp_path / "older.json"

    def run(*words: str) -> tuple[int, str]:
        done = CliRunner(env={"MTS_HOME": str(home)}).invoke(app, ["audit", *words])
        return int(getattr(done.exception, "exit_code", done.exit_code)), done.output

    older.write_text(proven(home, 5).with_(head=heads(home)[6]).model_dump_json())
    assert head_of(older).size == 7
    for given in (older, home / "audit" / "checkpoints"):
        code, said = run("prove-growth", str(given), "--out", str(file))
        assert (code, "entries holds the one of" in said) == (0, True)
        code, said = run("check", str(file), "--public-key", key)
        assert (code, said.startswith("true: the log of 11 entries")) == (0, True)
    file.write_text(grown(home, heads(home)[4]).model_dump_json().replace('"size":5', '"size":6'))
    code, said = run("check", str(file), "--public-key", key)
    assert (code, said.startswith("false: the signed head was changed")) == (1, True)
    (tmp_path / "none").write_text("")
    assert run("prove-growth", str(tmp_path / "none"))[0] == 2
    assert run("prove-growth", str(tmp_path / "absent"))[0] == 2
