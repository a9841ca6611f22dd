"""Which limits are in force, kept apart from the store: one that was put back from a backup would
judge by those of before."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mts1b_foundation import RiskEnvelope
from mts1b_platform.durable_file import write_durably
from pydantic import ValidationError

from mts1b_riskengine.engine import RiskEngine

__all__ = ["LimitsWitness"]


class LimitsWitness:
    """A small file with the latest envelope of each fund, replaced as a whole and synced.

    :param folder: not one that is backed up and restored together with the stores.
    """

    def __init__(self, folder: Path, log: Any) -> None:
        self._path = folder / "limits.json"
        self._log = log
        self._latest: dict[str, RiskEnvelope] = {}

    async def restore(self, engine: RiskEngine) -> list[RiskEnvelope]:
        """Put later limits of known funds in force again, and keep what is in force then.

        A store that knows nothing of a fund is a new one, and begins with its configuration.

        :return: the envelopes that the store had forgotten.
        """
        taken = []
        for envelope in self._read():
            if await engine.take_over(envelope):
                taken.append(envelope)
                self._log.error(
                    "the store of risk is older than the limits in force; they are taken over",
                    fund_id=envelope.fund_id,
                    version=envelope.version,
                )
        return taken

    def keep(self, envelope: RiskEnvelope) -> None:
        """Write down that an envelope is in force."""
        self._latest[envelope.fund_id] = envelope
        kept = {name: one.model_dump(mode="json") for name, one in self._latest.items()}
        try:
            write_durably(self._path, json.dumps(kept))
        except OSError as error:
            self._log.error("the witness of limits can not be written", error=str(error))

    def _read(self) -> list[RiskEnvelope]:
        try:
            kept = json.loads(self._path.read_text())
            return [RiskEnvelope.model_validate(one) for one in kept.values()]
        except FileNotFoundError:
            return []
        except (OSError, ValueError, AttributeError, ValidationError) as error:
            self._log.error("the witness of limits can not be read", error=str(error))
            return []
