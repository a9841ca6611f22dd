"""One process for each service of a home: what a service holds in memory is all there is of it.

Two risk engines would each know half of the exposure, and two operations grant two leases.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from mts1b_platform.errors import RetryLater

__all__ = ["ServiceBusy", "only_one"]


class ServiceBusy(RetryLater):
    """Another process runs the service on this home."""


@contextmanager
def only_one(folder: Path, names: Sequence[str]) -> Iterator[None]:
    """Hold a lock for each service; it ends with the process, however that ends.

    :raises ServiceBusy: when another process holds one of them.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as held:
        for name in names:
            held.callback(os.close, _take(folder / f"{name}.lock", name))
        yield


def _take(path: Path, name: str) -> int:
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        holder = os.read(handle, 32).decode(errors="replace").strip() or "unknown"
        os.close(handle)
        raise ServiceBusy(
            f"process {holder} runs {name} on this home already; end it first (`mts down`, where "
            "`mts up` started it), or set MTS_HOME to another folder"
        ) from error
    os.truncate(handle, 0)
    os.write(handle, str(os.getpid()).encode())
    return handle
