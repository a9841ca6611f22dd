"""One build at a time: a service refuses to start beside others of another one.

A firm that had put new code on seven of its eight servers was ruined in 45 minutes by the eighth
(SEC release 34-70694, 2013).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from importlib.metadata import Distribution, distributions
from pathlib import Path

from mts1b_platform.errors import PlatformError
from mts1b_platform.processes import is_alive

__all__ = ["BuildMismatch", "build_id", "require_one_build"]

_OURS = "mts1b"


class BuildMismatch(PlatformError):
    """Services of another build run on this home; says which."""


def build_id(parts: Collection[tuple[str, str, str]] | None = None) -> str:
    """Return a digest over every installed part of this system: equal files, equal digest.

    Of an installed wheel its record counts, which has the hash of each file. Of a checkout that
    is installed to be edited, the version alone: its files change under running services.

    :param parts: name, version and record of each; None: those that are installed here.
    """
    digest = hashlib.sha256()
    for name, version, record in sorted(_parts() if parts is None else parts):
        digest.update(f"{name}\0{version}\0{record}\0".encode())
    return digest.hexdigest()[:16]


def _parts() -> set[tuple[str, str, str]]:
    return {
        (one.name, one.version, one.read_text("RECORD") or "")
        for one in distributions()
        if _is_ours(one)
    }


def _is_ours(one: Distribution) -> bool:
    """Return what its name says, without parsing the metadata of everything there is."""
    return f"\nName: {_OURS}" in (one.read_text("METADATA") or "")


def require_one_build(folder: Path, names: Collection[str], build: str) -> None:
    """Return when every other service that runs on this home is of ``build``.

    :param folder: where running services announce themselves.
    :param names: the services that are about to start; what they left behind does not count.
    :raises BuildMismatch: when a living one is of another build, or does not say of which.
    """
    others = {
        path.stem: _read(path) for path in sorted(folder.glob("*.json")) if path.stem not in names
    }
    odd = [
        f"{name} (process {known['pid']}, build {known.get('build', 'unknown')})"
        for name, known in others.items()
        if _lives(known) and known.get("build") != build
    ]
    if odd:
        raise BuildMismatch(
            f"this is build {build}, and of another one run {', '.join(odd)}; stop them all with "
            "`mts down`, then start everything from one installation"
        )


def _read(path: Path) -> Mapping[str, object]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _lives(known: Mapping[str, object]) -> bool:
    """Return whether a file announces a service whose process is there."""
    pid = known.get("pid")
    return isinstance(pid, int) and "health_port" in known and is_alive(pid)
