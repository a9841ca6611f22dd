"""Keys and signatures: Ed25519 between processes, HMAC-SHA256 within one."""

from __future__ import annotations

import hashlib
import hmac
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from mts1b_platform.errors import FixConfiguration
from mts1b_platform.rng import Rng

__all__ = [
    "Algorithm",
    "Ed25519Signer",
    "Ed25519Verifier",
    "HmacSigner",
    "HmacVerifier",
    "KeyMissing",
    "KeyRing",
    "Signer",
    "Verifier",
    "encode_fields",
]

Algorithm = Literal["ed25519", "hmac"]
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


class KeyMissing(FixConfiguration):
    """There is no such key."""


class Signer(Protocol):
    """Sign bytes."""

    @property
    def key_id(self) -> str:
        """Return the id that verifiers find the key by."""
        ...

    @property
    def algorithm(self) -> Algorithm:
        """Return the algorithm's name."""
        ...

    def sign(self, message: bytes) -> str:
        """Return the signature in hex."""
        ...


class Verifier(Protocol):
    """Check signatures."""

    def verify(self, message: bytes, signature: str, *, key_id: str) -> bool:
        """Return whether ``key_id`` is known and made ``signature`` of ``message``."""
        ...


def encode_fields(domain: str, fields: Sequence[tuple[str, str]]) -> bytes:
    """Return bytes that only these fields, in this order, under this domain can give.

    Every name and value is preceded by its length, so no two field lists share an encoding.
    """
    parts = [domain.encode()]
    for name, value in fields:
        parts += [name.encode(), value.encode()]
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


def _key_id(material: bytes) -> str:
    return hashlib.sha256(b"mts/key/v1" + material).hexdigest()[:16]


class Ed25519Signer:
    """Sign with a private key."""

    algorithm: Algorithm = "ed25519"

    def __init__(self, seed: bytes) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self.public = self._key.public_key().public_bytes_raw()
        self.key_id = _key_id(self.public)

    def sign(self, message: bytes) -> str:
        """Return the signature in hex."""
        return self._key.sign(message).hex()


class Ed25519Verifier:
    """Verify with public keys."""

    def __init__(self, public_keys: Sequence[bytes]) -> None:
        self._keys = {_key_id(raw): Ed25519PublicKey.from_public_bytes(raw) for raw in public_keys}

    def verify(self, message: bytes, signature: str, *, key_id: str) -> bool:
        """Return whether a known key made the signature."""
        key = self._keys.get(key_id)
        if key is None:
            return False
        try:
            key.verify(bytes.fromhex(signature), message)
        except (InvalidSignature, ValueError):
            return False
        return True


class HmacSigner:
    """Sign with a shared secret. Who can verify can also sign: for one process only."""

    algorithm: Algorithm = "hmac"

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self.key_id = _key_id(secret)

    def sign(self, message: bytes) -> str:
        """Return the signature in hex."""
        return hmac.new(self._secret, message, hashlib.sha256).hexdigest()


class HmacVerifier:
    """Verify with shared secrets, in constant time."""

    def __init__(self, secrets: Sequence[bytes]) -> None:
        self._signers = {signer.key_id: signer for signer in map(HmacSigner, secrets)}

    def verify(self, message: bytes, signature: str, *, key_id: str) -> bool:
        """Return whether a known secret made the signature."""
        signer = self._signers.get(key_id)
        if signer is None:
            return False
        return hmac.compare_digest(signer.sign(message).encode(), signature.encode())


class KeyRing:
    """Keep the keys of one MTS_HOME as files of mode 0600.

    ``NAME.key`` is the current key, ``NAME.previous.key`` the one before it: a rotation leaves
    signatures of the previous key valid until the next one.
    """

    def __init__(self, directory: Path, rng: Rng) -> None:
        self._directory = directory
        self._rng = rng

    def _path(self, name: str, *, previous: bool = False) -> Path:
        if not _NAME.fullmatch(name):
            raise KeyMissing(f"key name {name!r} must be letters, digits, '.', '_' and '-'")
        return self._directory / f"{name}{'.previous' if previous else ''}.key"

    def exists(self, name: str) -> bool:
        """Return whether there is a key of this name."""
        return self._path(name).exists()

    def create(self, name: str) -> None:
        """Create the key; a key that exists stays.

        Two processes that create it at once end with one key.
        """
        path = self._path(name)
        self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        partial = path.with_name(f"{path.name}.{self._rng.bytes(6).hex()}")
        handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write(self._rng.bytes(32).hex())
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(partial, path)
        except FileExistsError:
            pass
        finally:
            partial.unlink()

    def rotate(self, name: str) -> None:
        """Make a new current key; the present one becomes the previous one."""
        os.replace(self._path(name), self._path(name, previous=True))
        self.create(name)

    def _secret(self, path: Path) -> bytes:
        try:
            return bytes.fromhex(path.read_text().strip())
        except FileNotFoundError:
            raise KeyMissing(f"there is no key {path}; create it first") from None
        except ValueError:
            raise KeyMissing(f"{path} is no key: restore it or create it anew") from None

    def signer(self, name: str, algorithm: Algorithm = "ed25519") -> Signer:
        """Return the signer of the current key, creating the key on first use."""
        if not self.exists(name):
            self.create(name)
        secret = self._secret(self._path(name))
        return Ed25519Signer(secret) if algorithm == "ed25519" else HmacSigner(secret)

    def verifier(self, name: str, algorithm: Algorithm = "ed25519") -> Verifier:
        """Return a verifier of the current and the previous key.

        :raises KeyMissing: when there is no current key.
        """
        secrets = [self._secret(self._path(name))]
        if self._path(name, previous=True).exists():
            secrets.append(self._secret(self._path(name, previous=True)))
        if algorithm == "hmac":
            return HmacVerifier(secrets)
        return Ed25519Verifier([Ed25519Signer(secret).public for secret in secrets])
