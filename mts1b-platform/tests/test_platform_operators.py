"""What an operator signs: only under ``operator:NAME``, only by a registered key."""

from pathlib import Path

import pytest
from mts1b_platform.operators import NotSigned, prove, signer_of
from mts1b_platform.rng import SeededRng
from mts1b_platform.signing import KeyRing


@pytest.fixture
def keys(tmp_path: Path) -> KeyRing:
    ring = KeyRing(tmp_path / "keys", SeededRng(3))
    ring.create("operator-ann")
    return ring


@pytest.mark.parametrize("name", ["service:ann", "Operator:ann", "operator:", "operator", "ann"])
def test_nobody_but_an_operator_signs(keys: KeyRing, name: str) -> None:
    signer = signer_of(keys, "operator:ann")
    signed = {"key_id": signer.key_id, "signature": signer.sign(b"act")}
    prove(keys, b"act", signed_by="operator:ann", **signed)
    with pytest.raises(NotSigned, match="not '"):
        prove(keys, b"act", signed_by=name, **signed)
    with pytest.raises(NotSigned, match="not '"):
        signer_of(keys, name)


def test_an_operator_without_a_key_has_signed_nothing(keys: KeyRing) -> None:
    with pytest.raises(NotSigned, match="operator:bob is no registered operator"):
        prove(keys, b"act", signed_by="operator:bob", key_id="k", signature="00")
    with pytest.raises(NotSigned, match="no key of operator:bob"):
        signer_of(keys, "operator:bob")
