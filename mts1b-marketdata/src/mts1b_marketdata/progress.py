"""How far a replay is and how it ended, as two small files that are never half-written."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

from mts1b_foundation.replay import StateDigest

from mts1b_marketdata.replay import ReplayFeed

__all__ = ["RunFiles"]


class RunFiles:
    """Write ``run/progress.json`` and ``run/result.json`` of one MTS_HOME.

    ``progress.tick`` is the last finished tick (-1: none yet), ``state`` one of ``running``,
    ``finished`` and ``stopped``.
    """

    def __init__(self, home: Path, feed: ReplayFeed) -> None:
        self._directory = home / "run"
        self._feed = feed

    def progress(
        self, tick: int, state: str, *, state_hash: str | None = None, error: str | None = None
    ) -> None:
        """Say how far the replay is."""
        feed = self._feed
        facts = {
            "run_id": feed.run_id,
            "dataset": feed.dataset.name,
            "tick": tick,
            "total": feed.total,
            "as_of": feed.as_of(tick).isoformat() if tick >= 0 else None,
            "state": state,
            "state_hash": state_hash,
            "error": error,
        }
        self._write("progress.json", facts, durable=False)

    def result(self, digests: Mapping[str, StateDigest], state_hash: str) -> None:
        """Say how the replay ended: the state hash, and what it is made of."""
        feed = self._feed
        facts = {
            "run_id": feed.run_id,
            "state_hash": state_hash,
            "dataset": feed.dataset.name,
            "dataset_version": feed.dataset.version,
            "dataset_sha256": feed.dataset.sha256,
            "interval": feed.dataset.interval,
            "symbols": list(feed.symbols),
            "ticks": feed.total,
            "first": feed.as_of(0).isoformat(),
            "last": feed.as_of(feed.total - 1).isoformat(),
            "services": {
                name: {"digest": digest.digest, "counts": digest.counts}
                for name, digest in sorted(digests.items())
            },
        }
        self._write("result.json", facts, durable=True)

    def _write(self, name: str, facts: Mapping[str, object], *, durable: bool) -> None:
        self._directory.mkdir(parents=True, exist_ok=True)
        path = self._directory / name
        partial = path.with_suffix(".partial")
        with partial.open("w") as stream:
            json.dump(facts, stream, indent=1, sort_keys=True)
            stream.flush()
            if durable:
                os.fsync(stream.fileno())
        os.replace(partial, path)
