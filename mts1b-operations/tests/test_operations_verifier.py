"""The one file that needs nothing of the project checks proofs as `audit check` does."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import test_operations_growth as growth
from mts1b_operations.audit import verifier
from mts1b_operations.audit.tree import CompactRange, consistency_proof, inclusion_proof, root_of
from test_operations_proof import FORGERIES, ORDERS, Change, proven, public_key
from test_operations_split_view import log_of

MOST = 20


@pytest.fixture
async def home(tmp_path: Path) -> Path:
    return await log_of(tmp_path / "home", ORDERS)


def run(file: Path, *words: str) -> tuple[int, str]:
    command = [sys.executable, "-I", str(verifier.__file__), str(file), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def test_a_proof_is_checked_without_the_project(home: Path, tmp_path: Path) -> None:
    key, file = public_key(home).hex(), tmp_path / "proof.json"
    file.write_text(proven(home, 5).model_dump_json(indent=1))
    code, said = run(file, "--public-key", key)
    assert (code, said.startswith("true: entry 5 is in the log of 11 entries")) == (0, True)
    assert run(file, "--public-key", "ab" * 32)[0] == 1
    code, said = run(file)
    assert (code, "--public-key" in said) == (2, True), "a key is never taken from the proof"
    for text in ("{}", '{"format": "x"}', "{", "[]"):
        file.write_text(text)
        assert run(file, "--public-key", key)[0] == 2, text


def test_every_entry_is_proven(home: Path) -> None:
    for sequence in range(len(ORDERS)):
        told = verifier.check_proof(
            json.loads(proven(home, sequence).model_dump_json()), public_key(home).hex()
        )
        assert told.startswith(f"entry {sequence} is in")


@pytest.mark.parametrize(("forge", "reason"), FORGERIES)
def test_no_part_of_a_proof_can_be_changed(home: Path, forge: Change, reason: str) -> None:
    proof = json.loads(proven(home, 5).model_dump_json())
    forge(proof)
    if "hash" in reason or proof["hash"] == "ab" * 32:
        proof["entry"] = proof["entry"].replace("o-5", "o-9")  # it makes the hash itself
    with pytest.raises(verifier.BadProof):
        verifier.check_proof(proof, public_key(home).hex())


def test_growth_is_checked_and_no_part_of_it_can_be_changed(home: Path) -> None:
    key = public_key(home).hex()
    for first in growth.heads(home):
        sent = json.loads(growth.grown(home, first).model_dump_json())
        told = verifier.check_proof(sent, key)
        assert told.startswith(f"the log of 11 entries holds the one of {first.size}")
    for forge, _ in growth.FORGERIES:
        proof = json.loads(growth.grown(home, growth.heads(home)[4]).model_dump_json())
        forge(proof)
        with pytest.raises(verifier.BadProof):
            verifier.check_proof(proof, key)


def test_a_path_has_the_length_that_the_size_asks_for() -> None:
    """Also where the hashes fit: a size that is signed with another tree's root proves nothing."""
    for index, size, path in [(5, 1, []), (0, 2, []), (0, 1, [LEAVES[0]])]:
        text = json.dumps({"sequence": index})
        root = verifier.sha256(b"\x00" + text.encode())
        for sibling in path:
            root = verifier.sha256(b"\x01" + sibling + root)
        with pytest.raises(verifier.BadProof):
            verifier._proven_entry(text, path, size, root)
    assert not verifier._grew(1, 2, LEAVES[0], LEAVES[0], [])


LEAVES = [verifier.sha256(b"\x00" + bytes([number])) for number in range(MOST)]


def test_growth_is_shown_for_every_pair_of_sizes_and_for_no_other_path() -> None:
    roots = [root_of(LEAVES[:size]) for size in range(MOST + 1)]
    for second in range(1, MOST + 1):
        for first in range(second + 1):
            path = consistency_proof(LEAVES[:second], first)
            sizes = (first, second, roots[first], roots[second])
            assert verifier._grew(*sizes, path), (first, second)
            assert not verifier._grew(*sizes, [*path, LEAVES[0]])
            assert not verifier._grew(first, second, roots[first - 1], roots[second], path)
            assert not path or not verifier._grew(*sizes, path[:-1])
            if path:
                assert not verifier._grew(*sizes, [LEAVES[3], *path[1:]])
    assert not verifier._grew(9, 5, roots[9], roots[5], [LEAVES[0]])


def test_the_paths_of_every_tree_lead_to_its_root() -> None:
    for size in range(1, MOST + 1):
        texts = [json.dumps({"sequence": number}) for number in range(size)]
        leaves = [verifier.sha256(b"\x00" + text.encode()) for text in texts]
        root = CompactRange().add(leaves).root
        for index, text in enumerate(texts):
            path = inclusion_proof(leaves, index)
            assert verifier._proven_entry(text, path, size, root) == index
            with pytest.raises(verifier.BadProof):
                verifier._proven_entry(text, [*path, root], size, root)
