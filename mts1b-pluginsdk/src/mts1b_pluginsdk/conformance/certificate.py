"""A dated statement of what a broker was seen to do: which cards passed, failed, were skipped."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import packages_distributions, version
from typing import Any

from mts1b_foundation.protocols import VenueCard

from mts1b_pluginsdk.conformance.bench import Bench
from mts1b_pluginsdk.conformance.needs import Need, missing
from mts1b_pluginsdk.conformance.report import Report, Verdict
from mts1b_pluginsdk.conformance.sandbox import Connect
from mts1b_pluginsdk.conformance.settings import BenchSettings
from mts1b_pluginsdk.conformance.verdicts import outcome

__all__ = ["Certificate", "Subject", "look_at"]


@dataclass(frozen=True, slots=True)
class Subject:
    """The broker that was tried: its name and version, and what it offers."""

    factory: str
    broker: str
    version: str
    card: VenueCard | None
    offers: dict[str, bool]


async def look_at(
    connect: Connect, *, factory: str, settings: BenchSettings | None = None
) -> Subject:
    """Connect once and return who the broker is and what it offers.

    What can not be looked at, because it raises, offers nothing; its cards say why.
    """
    seen = await outcome(_look(connect, factory, settings or BenchSettings()))
    if isinstance(seen, Subject):
        return seen
    return Subject(factory, factory, "unknown", None, {need.value: False for need in Need})


async def _look(connect: Connect, factory: str, settings: BenchSettings) -> Subject:
    bench = await Bench.begin(connect, settings=settings, number=0)
    try:
        offers = {need.value: not missing(bench, need) for need in Need}
        return Subject(factory, bench.venue.name, _version_of(bench.venue), bench.card, offers)
    finally:
        await bench.close()


def _version_of(client: object) -> str:
    """Return distribution and version of the client's code, as far as it is installed."""
    top = type(client).__module__.partition(".")[0]
    owners = packages_distributions().get(top, [])
    return f"{owners[0]} {version(owners[0])}" if owners else "not installed as a package"


@dataclass(frozen=True, slots=True)
class Certificate:
    """What one run of all cards showed, on one day.

    :param at: when it was run (aware).
    """

    subject: Subject
    report: Report
    at: datetime

    def as_dict(self) -> dict[str, Any]:
        """Return the certificate as plain values; ``digest`` covers all the others."""
        body = self._body()
        return body | {"digest": _digest(body)}

    def _body(self) -> dict[str, Any]:
        subject, report = self.subject, self.report
        return {
            "certificate": "mts1b-broker/1",
            "broker": subject.broker,
            "version": subject.version,
            "factory": subject.factory,
            "date": self.at.astimezone(UTC).isoformat(timespec="seconds"),
            "kit": f"mts1b-pluginsdk {version('mts1b-pluginsdk')}",
            "passed": report.passed,
            "counts": report.counts,
            "capabilities": subject.card.model_dump(mode="json") if subject.card else None,
            "offers": subject.offers,
            "cards": report.as_dict()["checks"],
        }

    def as_json(self) -> str:
        """Return the certificate as JSON."""
        return json.dumps(self.as_dict(), indent=2, ensure_ascii=False) + "\n"

    def as_markdown(self) -> str:
        """Return the certificate for people."""
        told = self.as_dict()
        counts = self.report.counts
        verdict = "conforms" if self.report.passed else "does not conform"
        lines = [
            f"# {told['broker']} {verdict}",
            "",
            f"{told['version']}, tried by {told['kit']} on {told['date']}: "
            + ", ".join(f"{count} {name}" for name, count in counts.items())
            + ".",
            "",
            *_table(("offers", ""), [(n, "yes" if there else "no") for n, there in self._offers()]),
            *_table(("card of the venue", ""), self._claims()),
            *_table(("card", "title", "group", "result", "seen"), self._rows()),
            f"Digest of the JSON form: `{told['digest']}`",
        ]
        return "\n".join(lines) + "\n"

    def _offers(self) -> list[tuple[str, bool]]:
        return list(self.subject.offers.items())

    def _claims(self) -> list[tuple[str, ...]]:
        card = self.subject.card
        values = card.model_dump(mode="json") if card is not None else {"": "no card"}
        return [(name, _shown(value)) for name, value in values.items()]

    def _rows(self) -> list[tuple[str, ...]]:
        return [
            (one.number, one.title, one.group, _mark(one.verdict), one.detail)
            for one in self.report.results
        ]


def _digest(body: dict[str, Any]) -> str:
    text = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def _shown(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _mark(verdict: Verdict) -> str:
    return "**failed**" if verdict is Verdict.FAILED else verdict.value


def _table(columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    lines = [columns, ("---",) * len(columns), *rows]
    cells = [[" ".join(cell.replace("|", "\\|").split()) for cell in line] for line in lines]
    return [*(f"| {' | '.join(line)} |" for line in cells), ""]
