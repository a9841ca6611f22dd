"""Five kills of a real system, the count afterwards, and that the count finds what is planted."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from dataclasses import dataclass
from pathlib import Path

import pytest

from tools.proof.chaos import Round, one_round, report_of
from tools.proof.truth import compare

KILLS = 5


@dataclass
class Done:
    """A finished round and where its files are."""

    folder: Path
    round: Round


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Done:
    """One round of kills, shared by the tests of this file."""
    folder = tmp_path_factory.mktemp("chaos")
    return Done(folder, asyncio.run(one_round(folder, seed=7, cycles=KILLS, rate_per_s=20.0)))


def test_kills_lose_and_double_nothing(done: Done) -> None:
    """Promises 1, 2 and 3 on real processes; the long form is ``make chaos``."""
    found = done.round
    assert found.verdict.problems == []
    assert sum(found.kills.values()) == KILLS
    assert found.verdict.acknowledged > 0
    assert found.verdict.orders >= found.verdict.acknowledged
    assert found.verdict.audit_entries > 0
    figures = report_of([found], 1.0)
    assert (figures["lost"], figures["duplicated"], figures["cycles"]) == (0, 0, KILLS)


_VENUE, _OMS, _LOG = (
    "venue/db/venue-paper.sqlite",
    "desk/db/oms.sqlite",
    "desk/db/operations.sqlite",
)
_FIRST = "(SELECT min(position) FROM venue_orders)"
_PLANTED = {
    "a lost order": (
        _VENUE,
        f"DELETE FROM venue_orders WHERE position = {_FIRST}",
        "not at the venue",
    ),
    "another position": (_VENUE, "UPDATE venue_positions SET quantity = '7'", "positions"),
    "other cash": (_VENUE, "UPDATE venue_account SET cash = '1'", "cash"),
    "an unbooked fill": (
        _OMS,
        "DELETE FROM fills WHERE position = (SELECT min(position) FROM fills)",
        "fills of one side alone",
    ),
    "an order in doubt": (
        _OMS,
        "UPDATE orders SET payload = json_set(payload, '$.status', 'unknown') WHERE position = 1",
        "still in doubt",
    ),
    "a changed audit entry": (
        _LOG,
        "UPDATE audit_entries SET data = '{}' WHERE sequence = 3",
        "does not verify",
    ),
}


@pytest.mark.parametrize("what", sorted(_PLANTED))
def test_what_is_planted_is_found(done: Done, tmp_path: Path, what: str) -> None:
    file, change, problem = _PLANTED[what]
    shutil.copytree(done.folder, tmp_path / "copy", ignore=shutil.ignore_patterns("*.sock"))
    connection = sqlite3.connect(tmp_path / "copy" / file)
    assert connection.execute(change).rowcount > 0
    connection.commit()
    connection.close()
    verdict = compare(tmp_path / "copy/desk", tmp_path / "copy/venue", done.round.intents)
    assert any(problem in text for text in verdict.problems), verdict.problems


def test_a_second_submission_is_found(done: Done, tmp_path: Path) -> None:
    shutil.copytree(done.folder, tmp_path / "copy", ignore=shutil.ignore_patterns("*.sock"))
    with (tmp_path / "copy/venue/wire.log").open("a") as log:
        log.write("1.000000 c7-0 ord-c7-0 again\n")
    verdict = compare(tmp_path / "copy/desk", tmp_path / "copy/venue", done.round.intents)
    assert verdict.duplicated == 1
    assert any("submitted again" in text for text in verdict.problems)
