"""Who may loosen a limit: an operator who signs it. Tightening needs nobody."""

from __future__ import annotations

from pathlib import Path

import pytest
from mts1b_foundation import RiskEnvelope
from mts1b_foundation.commands import EnvelopeUpdate
from mts1b_platform.rng import SeededRng
from mts1b_platform.signing import KeyRing
from mts1b_riskengine import EnvelopeUnsigned, sign_envelope
from mts1b_riskengine.signed_envelopes import require_signed_loosening
from riskengine_desk import AT, make_envelope

CURRENT = make_envelope()
LOOSER = make_envelope(version=2, max_position_pct=0.9)
TIGHTER = make_envelope(version=2, max_position_pct=0.1)


@pytest.fixture
def keys(tmp_path: Path) -> KeyRing:
    ring = KeyRing(tmp_path / "keys", SeededRng(5))
    ring.create("operator-ann")
    return ring


def signed(keys: KeyRing, envelope: RiskEnvelope = LOOSER, **said: str) -> EnvelopeUpdate:
    words = {"signed_by": "operator:ann", "reason": "capital doubled"} | said
    return sign_envelope(keys, envelope, requested_at=AT, **words)


def test_what_tightens_needs_no_signature(keys: KeyRing) -> None:
    tighter = EnvelopeUpdate(envelope=TIGHTER)
    require_signed_loosening(keys, CURRENT, tighter)
    with pytest.raises(EnvelopeUnsigned):  # looked at from the other side it loosens
        require_signed_loosening(keys, make_envelope(max_position_pct=0.05), tighter)


def test_what_loosens_is_signed(keys: KeyRing) -> None:
    require_signed_loosening(keys, CURRENT, signed(keys))
    with pytest.raises(EnvelopeUnsigned, match="nobody has signed it"):
        require_signed_loosening(keys, CURRENT, EnvelopeUpdate(envelope=LOOSER))


def test_a_signature_fits_one_envelope_reason_and_person(keys: KeyRing) -> None:
    good = signed(keys)
    for bad in (
        good.with_(envelope=make_envelope(version=2, max_position_pct=0.91)),
        good.with_(reason="another"),
        good.with_(signed_by="operator:bob"),
        good.with_(key_id="other"),
        good.with_(requested_at=AT.replace(hour=1)),
    ):
        with pytest.raises(EnvelopeUnsigned):
            require_signed_loosening(keys, CURRENT, bad)


def test_a_bad_signature_under_what_tightens_is_refused_too(keys: KeyRing) -> None:
    with pytest.raises(EnvelopeUnsigned, match="loosens nothing"):
        require_signed_loosening(keys, CURRENT, signed(keys).with_(envelope=TIGHTER))


def test_who_signs_says_why(keys: KeyRing) -> None:
    with pytest.raises(EnvelopeUnsigned, match="says why"):
        require_signed_loosening(keys, CURRENT, signed(keys, reason=" "))


def test_a_key_that_is_not_here_signs_nothing(keys: KeyRing) -> None:
    with pytest.raises(EnvelopeUnsigned, match="mts cmd operator-key bob"):
        signed(keys, signed_by="operator:bob")
