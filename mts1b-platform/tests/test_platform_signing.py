"""Keys and signatures: nothing shares an encoding, nothing else verifies."""

import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mts1b_platform.rng import SeededRng
from mts1b_platform.signing import (
    Algorithm,
    Ed25519Signer,
    Ed25519Verifier,
    HmacSigner,
    HmacVerifier,
    KeyMissing,
    KeyRing,
    encode_fields,
)

FIELDS = st.lists(st.tuples(st.text(max_size=8), st.text(max_size=8)), max_size=5)
ALGORITHMS: list[Algorithm] = ["ed25519", "hmac"]


def ring(directory: Path, seed: int = 1) -> KeyRing:
    return KeyRing(directory / "keys", SeededRng(seed))


@settings(max_examples=50)
@given(one=FIELDS, other=FIELDS)
def test_only_equal_fields_share_an_encoding(
    one: list[tuple[str, str]], other: list[tuple[str, str]]
) -> None:
    assert (encode_fields("d", one) == encode_fields("d", other)) == (one == other)


def test_moving_a_character_between_fields_changes_the_encoding() -> None:
    assert encode_fields("d", [("ab", "c")]) != encode_fields("d", [("a", "bc")])
    assert encode_fields("d", [("a", "b")]) != encode_fields("da", [("", "b")])
    assert encode_fields("approval", []) != encode_fields("resume", [])


def test_the_known_answer_of_rfc_8032() -> None:
    """RFC 8032, section 7.1, test 2."""
    seed = bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")
    signer = Ed25519Signer(seed)
    assert signer.public.hex() == (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"
    )
    assert signer.sign(b"\x72") == (
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
    )


def test_the_known_answer_of_rfc_4231() -> None:
    """RFC 4231, test case 2."""
    assert HmacSigner(b"Jefe").sign(b"what do ya want for nothing?") == (
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    )


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_signature_is_for_one_message_and_one_key(tmp_path: Path, algorithm: Algorithm) -> None:
    keys = ring(tmp_path)
    signer, other = keys.signer("risk", algorithm), keys.signer("other", algorithm)
    verifier = keys.verifier("risk", algorithm)
    signature = signer.sign(b"message")
    assert verifier.verify(b"message", signature, key_id=signer.key_id)
    assert not verifier.verify(b"massage", signature, key_id=signer.key_id)
    assert not verifier.verify(b"message", other.sign(b"message"), key_id=signer.key_id)
    assert not verifier.verify(b"message", other.sign(b"message"), key_id=other.key_id)
    respelt = (signature.upper(), f"{signature[:2]} {signature[2:]}")
    for wrong in ("", "zz", signature[:-2], signature + "00", "ä" * 64, *respelt):
        assert not verifier.verify(b"message", wrong, key_id=signer.key_id)
    assert signer.sign(b"message") == signature


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_key_is_made_once_and_is_private(tmp_path: Path, algorithm: Algorithm) -> None:
    first = ring(tmp_path, 1).signer("risk", algorithm)
    again = ring(tmp_path, 2).signer("risk", algorithm)
    assert first.key_id == again.key_id
    assert (tmp_path / "keys" / "risk.key").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "keys").stat().st_mode & 0o777 == 0o700


def test_who_only_verifies_needs_only_the_public_half(tmp_path: Path) -> None:
    signer = ring(tmp_path).signer("risk")
    (tmp_path / "elsewhere" / "keys").mkdir(parents=True)
    public = (tmp_path / "keys" / "risk.pub").read_bytes()
    (tmp_path / "elsewhere" / "keys" / "risk.pub").write_bytes(public)
    verifier = ring(tmp_path / "elsewhere").verifier("risk")
    assert verifier.verify(b"m", signer.sign(b"m"), key_id=signer.key_id)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_rotation_leaves_two_keys_alive(tmp_path: Path, algorithm: Algorithm) -> None:
    keys = ring(tmp_path)
    signatures = []
    for _ in range(3):
        signer = keys.signer("risk", algorithm)
        signatures.append((signer.key_id, signer.sign(b"m")))
        keys.rotate("risk")
    current = keys.signer("risk", algorithm)
    verifier = keys.verifier("risk", algorithm)
    alive = [verifier.verify(b"m", text, key_id=key_id) for key_id, text in signatures]
    assert alive == [False, False, True]
    assert verifier.verify(b"m", current.sign(b"m"), key_id=current.key_id)


def test_an_interrupted_rotation_verifies_both_keys(tmp_path: Path) -> None:
    keys = ring(tmp_path)
    old = keys.signer("risk")
    folder = tmp_path / "keys"
    (folder / "risk.pub").unlink()
    (folder / "risk.key").rename(folder / "risk.previous.key")  # the power goes off here
    new = ring(tmp_path, 5).signer("risk")
    verifier = keys.verifier("risk")
    assert verifier.verify(b"m", old.sign(b"m"), key_id=old.key_id)
    assert verifier.verify(b"m", new.sign(b"m"), key_id=new.key_id)


class Fails(SeededRng):
    """As if the process died where it next makes a file."""

    def bytes(self, count: int) -> bytes:
        raise OSError("the power goes off")


def test_a_rotation_that_is_cut_off_revives_no_older_key(tmp_path: Path) -> None:
    keys, signatures = ring(tmp_path), []
    for _ in range(2):
        signer = keys.signer("risk")
        signatures.append((signer.key_id, signer.sign(b"m")))
        if len(signatures) == 1:
            keys.rotate("risk")
    with pytest.raises(OSError, match="power"):
        KeyRing(tmp_path / "keys", Fails(1)).rotate("risk")
    new = ring(tmp_path, 5).signer("risk")
    signatures.append((new.key_id, new.sign(b"m")))
    verifier = keys.verifier("risk")
    alive = [verifier.verify(b"m", text, key_id=key_id) for key_id, text in signatures]
    assert alive == [False, True, True]


def test_a_wrong_public_half_is_mended_by_the_signer(tmp_path: Path) -> None:
    keys = ring(tmp_path)
    keys.signer("risk")
    (tmp_path / "keys" / "risk.pub").write_text("00" * 32)
    signer = keys.signer("risk")
    assert keys.verifier("risk").verify(b"m", signer.sign(b"m"), key_id=signer.key_id)


def test_a_missing_or_broken_key_is_told(tmp_path: Path) -> None:
    keys = ring(tmp_path)
    with pytest.raises(KeyMissing, match=r"no key .*risk\.key"):
        keys.verifier("risk")
    with pytest.raises(KeyMissing, match="to rotate"):
        keys.rotate("risk")
    with pytest.raises(KeyMissing, match="letters, digits"):
        keys.signer("../risk")
    keys.create("risk")
    (tmp_path / "keys" / "risk.key").write_text("abcd")
    with pytest.raises(KeyMissing, match="is no key"):
        keys.signer("risk")


def test_makers_at_once_end_with_one_key(tmp_path: Path) -> None:
    ids: list[str] = []

    def make(seed: int) -> None:
        ids.append(ring(tmp_path, seed).signer("risk").key_id)

    workers = [threading.Thread(target=make, args=(seed,)) for seed in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(ids) == 8
    assert len(set(ids)) == 1
    assert sorted(path.name for path in (tmp_path / "keys").iterdir()) == ["risk.key", "risk.pub"]


def test_a_verifier_knows_only_its_keys() -> None:
    signer = Ed25519Signer(b"1" * 32)
    assert not Ed25519Verifier([]).verify(b"m", signer.sign(b"m"), key_id=signer.key_id)
    assert not HmacVerifier([b"x" * 32]).verify(b"m", "", key_id="unknown")
