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
_KEY_BYTES = 32
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
    sized, parts = _SIZED_NAMES, [_SIZED_NAMES[domain]]
    for name, value in fields:
        text = value.encode()
        parts += (sized[name], len(text).to_bytes(4), text)
    return b"".join(parts)


class _SizedNames(dict[str, bytes]):
    """Names of fields with their lengths; those that a program writes, so there are few."""

    def __missing__(self, name: str) -> bytes:
        text = name.encode()
        sized = self[name] = len(text).to_bytes(4) + text
        return sized


_SIZED_NAMES = _SizedNames()


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
            raw = bytes.fromhex(signature)
            if raw.hex() != signature:  # one signature, one text: no spaces, no capitals
                return False
            key.verify(raw, message)
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
        return hmac.digest(self._secret, message, "sha256").hex()


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
    """Keep the keys of one MTS_HOME as files.

    ``NAME.key`` (mode 0600) is the current key, ``NAME.pub`` its public half: who only verifies
    Ed25519 signatures needs no right to read the first. ``NAME.previous.*`` is the pair before: a
    rotation leaves its signatures valid until the next one.
    """

    def __init__(self, directory: Path, rng: Rng) -> None:
        self._directory = directory
        self._rng = rng

    def _path(self, name: str, kind: str = "key", *, previous: bool = False) -> Path:
        if not _NAME.fullmatch(name):
            raise KeyMissing(f"key name {name!r} must be letters, digits, '.', '_' and '-'")
        return self._directory / f"{name}{'.previous' if previous else ''}.{kind}"

    def exists(self, name: str) -> bool:
        """Return whether there is a key of this name."""
        return self._path(name).exists()

    def create(self, name: str) -> None:
        """Create the key; a key that exists stays.

        Two processes that create it at once end with one key.
        """
        self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        partial = self._written(self._path(name), self._rng.bytes(32).hex(), 0o600)
        try:
            os.link(partial, self._path(name))
        except FileExistsError:
            pass
        finally:
            partial.unlink()
        self._publish(name)

    def _written(self, path: Path, text: str, mode: int) -> Path:
        partial = path.with_name(f"{path.name}.{self._rng.bytes(6).hex()}")
        handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(handle, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        return partial

    def _publish(self, name: str) -> None:
        """Write the public half where it is not what the key says."""
        public = Ed25519Signer(self._read(self._path(name))).public.hex()
        path = self._path(name, "pub")
        if not path.exists() or path.read_text().strip() != public:
            os.replace(self._written(path, public, 0o644), path)

    def rotate(self, name: str) -> None:
        """Make a new current key; the present one becomes the previous one.

        The oldest public half goes first: what is interrupted then is derived from the keys.

        :raises KeyMissing: when there is no key to rotate.
        """
        self._path(name, "pub", previous=True).unlink(missing_ok=True)
        try:
            os.replace(self._path(name), self._path(name, previous=True))
        except FileNotFoundError:
            raise KeyMissing(f"there is no key {self._path(name)} to rotate") from None
        public = Ed25519Signer(self._read(self._path(name, previous=True))).public.hex()
        path = self._path(name, "pub", previous=True)
        os.replace(self._written(path, public, 0o644), path)
        self.create(name)

    def _read(self, path: Path) -> bytes:
        try:
            raw = bytes.fromhex(path.read_text().strip())
        except FileNotFoundError:
            raise KeyMissing(f"there is no key {path}; create it first") from None
        except PermissionError:
            raise KeyMissing(f"{path} may not be read by this user; give it the right") from None
        except ValueError:
            raw = b""
        if len(raw) != _KEY_BYTES:
            raise KeyMissing(f"{path} is no key: restore it or create it anew")
        return raw

    def signer(self, name: str, algorithm: Algorithm = "ed25519") -> Signer:
        """Return the signer of the current key, creating the key on first use."""
        if self.exists(name):
            self._publish(name)
        else:
            self.create(name)
        secret = self._read(self._path(name))
        return Ed25519Signer(secret) if algorithm == "ed25519" else HmacSigner(secret)

    def verifier(self, name: str, algorithm: Algorithm = "ed25519") -> Verifier:
        """Return a verifier of the current and the previous key.

        :raises KeyMissing: when there is no current key.
        """
        if algorithm == "hmac":
            return HmacVerifier(self._both(name, "key"))
        return Ed25519Verifier(self._both(name, "pub"))

    def secrets(self, name: str) -> list[bytes]:
        """Return the current and the previous secret, to share with who signs elsewhere.

        :raises KeyMissing: when there is no current key.
        """
        return self._both(name, "key")

    def _both(self, name: str, kind: str) -> list[bytes]:
        found = [self._half(name, kind, previous=False)]
        if any(self._path(name, word, previous=True).exists() for word in ("key", "pub")):
            found.append(self._half(name, kind, previous=True))
        return found

    def _half(self, name: str, kind: str, *, previous: bool) -> bytes:
        path = self._path(name, kind, previous=previous)
        if kind == "key" or path.exists():
            return self._read(path)
        return Ed25519Signer(self._read(self._path(name, previous=previous))).public
