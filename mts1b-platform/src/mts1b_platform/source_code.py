"""Which code computed something: a digest of the source files of packages."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from importlib import resources
from importlib.resources.abc import Traversable

__all__ = ["source_digest"]


def source_digest(*packages: str) -> str:
    """Return the SHA-256 (hex) of every ``.py`` file of installed packages, names included.

    :param packages: names to import by; their order counts.
    :raises ModuleNotFoundError: when one is not installed.
    """
    digest = hashlib.sha256()
    for package in packages:
        for name, content in sorted(_sources(resources.files(package), package)):
            digest.update(f"{name}\0{len(content)}\0".encode())
            digest.update(content)
    return digest.hexdigest()


def _sources(folder: Traversable, name: str) -> Iterator[tuple[str, bytes]]:
    for item in folder.iterdir():
        inside = f"{name}/{item.name}"
        if item.is_dir():
            yield from _sources(item, inside)
        elif item.name.endswith(".py"):
            yield inside, item.read_bytes()
