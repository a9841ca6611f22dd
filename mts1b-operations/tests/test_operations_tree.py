"""The Merkle tree against an independent, naive reading of RFC 6962 section 2.1."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mts1b_operations.audit.tree import (
    EMPTY_ROOT,
    CompactRange,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    root_of,
    verify_consistency,
    verify_inclusion,
)


def naive_root(entries: list[bytes]) -> bytes:
    if not entries:
        return hashlib.sha256().digest()
    if len(entries) == 1:
        return hashlib.sha256(b"\x00" + entries[0]).digest()
    k = 1
    while k * 2 < len(entries):
        k *= 2
    return hashlib.sha256(b"\x01" + naive_root(entries[:k]) + naive_root(entries[k:])).digest()


def entries_of(size: int) -> list[bytes]:
    return [f"entry {i}".encode() for i in range(size)]


def leaves_of(size: int) -> list[bytes]:
    return [leaf_hash(entry) for entry in entries_of(size)]


def test_the_published_roots_of_the_certificate_transparency_test_vectors() -> None:
    inputs = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657"]
    inputs.append("606162636465666768696a6b6c6d6e6f")
    leaves = [leaf_hash(bytes.fromhex(text)) for text in inputs]
    assert root_of(leaves[:1]).hex() == (
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    )
    assert root_of(leaves).hex() == (
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"
    )
    assert EMPTY_ROOT.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@pytest.mark.parametrize("size", range(40))
def test_the_root_equals_the_naive_one(size: int) -> None:
    assert root_of(leaves_of(size)) == naive_root(entries_of(size))


@given(st.lists(st.integers(min_value=0, max_value=9), max_size=12))
@settings(max_examples=50, deadline=None)
def test_growing_in_any_steps_gives_the_same_root(steps: list[int]) -> None:
    total = sum(steps)
    leaves, grown, at = leaves_of(total), CompactRange(), 0
    for step in steps:
        grown = grown.add(leaves[at : at + step])
        at += step
    assert grown.size == total
    assert grown.root == root_of(leaves)
    assert len(grown.peaks) == total.bit_count()


def test_every_leaf_is_proven_and_no_other() -> None:
    for size in range(1, 18):
        leaves = leaves_of(size)
        root = root_of(leaves)
        for index in range(size):
            proof = inclusion_proof(leaves, index)
            good = {"index": index, "size": size, "proof": proof, "root": root}
            assert verify_inclusion(leaves[index], **good)
            assert not verify_inclusion(leaf_hash(b"other"), **good)
            assert not verify_inclusion(leaves[index], **(good | {"proof": [*proof, root]}))
            if size > 1:
                assert not verify_inclusion(leaves[index], **(good | {"proof": proof[:-1]}))
                other = {"index": (index + 1) % size}
                assert not verify_inclusion(leaves[index], **(good | other))


def test_every_prefix_is_proven_and_a_rewrite_is_not() -> None:
    for size in range(1, 18):
        leaves = leaves_of(size)
        for first in range(size + 1):
            proof = consistency_proof(leaves, first)
            roots = {"first_root": root_of(leaves[:first]), "second_root": root_of(leaves)}
            sizes = {"first": first, "second": size}
            assert verify_consistency(**sizes, **roots, proof=proof)
            if first > 0:
                rewritten = [leaf_hash(b"forged"), *leaves[1:first]]
                forged = roots | {"first_root": root_of(rewritten)}
                assert not verify_consistency(**sizes, **forged, proof=proof)
            if proof:
                assert not verify_consistency(**sizes, **roots, proof=proof[:-1])
                assert not verify_consistency(**sizes, **roots, proof=[])


def test_out_of_range_is_refused() -> None:
    with pytest.raises(IndexError, match="leaf 3"):
        inclusion_proof(leaves_of(3), 3)
    with pytest.raises(IndexError, match="tree of 4"):
        consistency_proof(leaves_of(3), 4)
    assert not verify_inclusion(b"", index=1, size=1, proof=[], root=b"")
    (leaf,) = leaves_of(1)
    assert not verify_inclusion(leaf, index=0, size=2, proof=[], root=leaf)
    assert not verify_consistency(first=3, second=2, first_root=b"", second_root=b"", proof=[])
