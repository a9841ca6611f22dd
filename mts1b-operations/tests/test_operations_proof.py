"""A proof of one entry that is handed over: it holds alone, and no part of it can be changed."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mts1b_operations.audit import AuditReader, ChainIntegrityError
from mts1b_operations.audit.inclusion import InclusionProof, check_proof, prove_entry
from mts1b_operations.audit.tree import leaf_hash
from mts1b_operations.cli import app
from mts1b_operations.errors import NotFound, ProofRefused
from mts1b_platform.rng import SystemRng
from mts1b_platform.signing import KeyRing
from test_operations_split_view import log_of
from typer.testing import CliRunner

ORDERS = [f"o-{number}" for number in range(11)]
OTHER_HASH = "ab" * 32

Change = Callable[[dict[str, Any]], object]


def public_key(home: Path) -> bytes:
    return bytes.fromhex((home / "keys" / "audit.pub").read_text())


def proven(home: Path, sequence: int) -> InclusionProof:
    with AuditReader(home) as reader:
        return prove_entry(reader, KeyRing(home / "keys", SystemRng()), sequence)


@pytest.fixture
async def home(tmp_path: Path) -> Path:
    return await log_of(tmp_path / "home", ORDERS)


def test_every_entry_of_every_log_is_proven_by_key_and_proof_alone(home: Path) -> None:
    key = public_key(home)
    for sequence, order in enumerate(ORDERS):
        sent = proven(home, sequence).model_dump_json()
        entry = check_proof(InclusionProof.model_validate_json(sent), key)
        assert (entry["sequence"], entry["subject_id"]) == (sequence, order)


async def test_a_log_of_one_entry_has_an_empty_path(tmp_path: Path) -> None:
    home = await log_of(tmp_path, ["o-1"])
    proof = proven(home, 0)
    assert proof.path == ()
    assert check_proof(proof, public_key(home))["subject_id"] == "o-1"


def another_order(proof: dict[str, Any]) -> None:
    proof["entry"] = proof["entry"].replace("o-5", "o-9")


def another_order_with_its_hash(proof: dict[str, Any]) -> None:
    another_order(proof)
    proof["hash"] = leaf_hash(proof["entry"].encode()).hex()


def another_place(proof: dict[str, Any]) -> None:
    proof["entry"] = proof["entry"].replace('"sequence":5', '"sequence":4')
    proof["hash"] = leaf_hash(proof["entry"].encode()).hex()


def no_entry(proof: dict[str, Any]) -> None:
    proof["entry"] = "[]"
    proof["hash"] = leaf_hash(b"[]").hex()


FORGERIES: list[tuple[Change, str]] = [
    (another_order, "the entry was changed"),
    (lambda proof: proof.update(hash=OTHER_HASH), "the entry was changed"),
    (another_order_with_its_hash, "does not lead from entry 5"),
    (another_place, "does not lead from entry 4"),
    (no_entry, "not one of an audit log"),
    (lambda proof: proof["path"].__setitem__(0, OTHER_HASH), "does not lead from entry 5"),
    (lambda proof: proof["path"].reverse(), "does not lead from entry 5"),
    (lambda proof: proof["path"].pop(), "does not lead from entry 5"),
    (lambda proof: proof["path"].append(OTHER_HASH), "does not lead from entry 5"),
    (lambda proof: proof["head"].update(size=12), "the signed head was changed"),
    (lambda proof: proof["head"].update(root=OTHER_HASH), "the signed head was changed"),
    (
        lambda proof: proof["head"].update(created_at="2008-09-15T20:00:01Z"),
        "the signed head was changed",
    ),
    (lambda proof: proof["head"].update(signature="00" * 64), "the signed head was changed"),
    (lambda proof: proof["head"].update(key_id="f" * 16), "signed with another key: ffffffff"),
]


@pytest.mark.parametrize(("forge", "reason"), FORGERIES)
def test_no_part_of_a_proof_can_be_changed(home: Path, forge: Change, reason: str) -> None:
    proof = json.loads(proven(home, 5).model_dump_json())
    forge(proof)
    with pytest.raises(ProofRefused, match=reason):
        check_proof(InclusionProof.model_validate(proof), public_key(home))


async def test_a_proof_by_another_key_is_refused_even_for_the_same_entries(
    home: Path, tmp_path: Path
) -> None:
    stranger = await log_of(tmp_path / "stranger", ORDERS)
    with pytest.raises(ProofRefused, match="signed with another key"):
        check_proof(proven(stranger, 5), public_key(home))


def test_what_is_not_in_the_log_or_not_signed_yet_has_no_proof(home: Path) -> None:
    with pytest.raises(NotFound, match="no entry 11; it holds 0 to 10"):
        proven(home, 11)
    with sqlite3.connect(home / "db" / "operations.sqlite") as store:
        store.execute("DELETE FROM audit_checkpoints")
    store.close()
    (home / "audit" / "checkpoints").unlink()
    with pytest.raises(NotFound, match="no signed checkpoint yet"):
        proven(home, 5)


def test_a_log_that_was_touched_proves_nothing(home: Path) -> None:
    with sqlite3.connect(home / "db" / "operations.sqlite") as store:
        store.execute("UPDATE audit_entries SET actor = 'nobody' WHERE sequence = 3")
    store.close()
    with pytest.raises(ChainIntegrityError) as caught:
        proven(home, 5)
    assert caught.value.index == 3


async def test_the_commands_say_what_they_did_and_what_is_wrong(home: Path, tmp_path: Path) -> None:
    file, key = tmp_path / "proof.json", public_key(home).hex()

    def run(*words: str) -> tuple[int, str]:
        done = CliRunner(env={"MTS_HOME": str(home)}).invoke(app, ["audit", *words])
        code = getattr(done.exception, "exit_code", done.exit_code)
        return int(code), done.output + str(done.exception)

    code, said = run("prove", "5", "--out", str(file))
    assert (code, "entry 5 under the signed root of 11 entries" in said) == (0, True)
    (home / "db" / "operations.sqlite").unlink()
    for given in (key, str(home / "keys" / "audit.pub")):
        code, said = run("check", str(file), "--public-key", given)
        assert code == 0
        assert said.startswith("true: entry 5 is in the log of 11 entries")
        assert '"subject_id":"o-5"' in said

    file.write_text(file.read_text().replace("o-5", "o-6"))
    code, said = run("check", str(file), "--public-key", key)
    assert (code, said.startswith("false: the entry was changed")) == (1, True)
    code, said = run("check", str(file), "--public-key", "ff" * 32, "--json")
    assert (code, '"proven": false' in said, "another key" in said) == (1, True, True)
    assert run("check", str(file), "--public-key", "ff")[0] == 2
    assert run("check", str(tmp_path / "none"), "--public-key", key)[0] == 2
    assert run("check", str(home / "keys" / "audit.pub"), "--public-key", key)[0] == 2
    assert run("check", str(file))[0] == 2, "a key is never taken from the proof"


def test_prove_says_what_it_can_not_prove_or_write(home: Path, tmp_path: Path) -> None:
    def run(*words: str) -> int:
        done = CliRunner(env={"MTS_HOME": str(home)}).invoke(app, ["audit", "prove", *words])
        return int(getattr(done.exception, "exit_code", done.exit_code))

    assert run("99", "--out", str(tmp_path / "p.json")) == 1
    assert run("5", "--out", str(tmp_path / "none" / "p.json")) == 2
    assert not list(tmp_path.glob("p.json*"))
