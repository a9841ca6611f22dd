"""Algorithms after a backup was put back: what may be lost is looked for, nothing else is."""

from __future__ import annotations

from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from mts1b_foundation import Order
from mts1b_oms.parent_marks import ParentMarks
from oms_fuse import Fuse
from oms_works import Works, resting
from test_oms_restored_terms import put_back


async def begun(desk: Any, order: Any) -> Order:
    """Begin a parent that nothing of has left yet."""
    works = Works(desk)
    parent = await works.begin(resting(order, quantity=Decimal(8)))
    await works.dispatcher.stop()
    return parent


async def asked_for(desk: Any, order: Any, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Let one child of the parent leave; return the keys that the venue was asked for before."""
    keys: list[str] = []
    asks = desk.venue.get_order_by_key

    async def noting(key: str) -> Order | None:
        if not desk.venue.submitted:
            keys.append(key)
        found: Order | None = await asks(key)
        return found

    monkeypatch.setattr(desk.venue, "get_order_by_key", noting)
    desk.record.unhalted.clear()
    works = Works(desk)
    await works.begin(resting(order, quantity=Decimal(8)))
    works.slices.due.put_nowait(4)
    await works.until(lambda: bool(desk.venue.submitted))
    await works.dispatcher.stop()
    return keys


async def marks_begun_anew(order: Any, desk: Any) -> Any:
    """Begin a parent, and lose its mark before the next start."""
    await begun(desk, order)
    await desk.close()
    (desk.home / "witness" / "parents.log").unlink()
    return await desk.reopen()


async def nothing(desk: Any) -> None:
    """Lose nothing but that the store was open."""


async def test_the_first_child_of_a_parent_from_after_the_restore_is_looked_for_once(
    new_desk: Any, order: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = await put_back(await new_desk(), tmp_path, nothing)
    assert desk.record.restored
    assert await asked_for(desk, order, monkeypatch) == ["parent/0"]


async def test_every_try_of_a_parent_that_was_lost_is_looked_for(
    new_desk: Any, order: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def since(desk: Any) -> None:
        await begun(desk, order)

    desk = await put_back(await new_desk(), tmp_path, since)
    assert await desk.record.order("order-parent") is None
    assert len(await asked_for(desk, order, monkeypatch)) == 18


async def test_every_try_is_looked_for_where_the_marks_were_lost_too(
    new_desk: Any, order: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def since(desk: Any) -> None:
        await begun(desk, order)
        (desk.home / "witness" / "parents.log").unlink()

    desk = await put_back(await new_desk(), tmp_path, since)
    assert len(await asked_for(desk, order, monkeypatch)) == 18


async def test_every_try_is_looked_for_where_the_marks_began_after_the_backup(
    new_desk: Any, order: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They were lost and begun anew before the backup was put back: they lack what it lacks."""
    desk = await put_back(await new_desk(), tmp_path, partial(marks_begun_anew, order))
    assert desk.record.restored
    assert len(await asked_for(desk, order, monkeypatch)) == 18


@pytest.mark.parametrize("blow_at", [1, 2])
async def test_every_try_is_looked_for_where_the_start_that_found_the_loss_died(
    new_desk: Any,
    order: Any,
    crash: type[BaseException],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    blow_at: int,
) -> None:
    """The next start has a fence that says nothing any more of how old the backup is."""
    desk = await new_desk()
    with pytest.raises(crash):
        anew = partial(marks_begun_anew, order)
        await put_back(desk, tmp_path, anew, fuse=Fuse(blow_at))
    desk = await desk.lives[-1].reopen()
    assert desk.record.restored
    assert len(await asked_for(desk, order, monkeypatch)) == 18


async def test_every_try_is_looked_for_where_the_venue_alone_told_of_the_loss(
    new_desk: Any, order: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The witness was put back too: it knows no more of the lost parents than the record."""
    desk = await new_desk()
    await desk.restoration._went_back("the venue has 1 of our orders open")
    desk.restoration.distrust()
    assert len(await asked_for(desk, order, monkeypatch)) == 18


async def test_every_try_is_looked_for_where_a_mark_makes_no_sense(
    new_desk: Any, order: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def since(desk: Any) -> None:
        await begun(desk, order)
        marks = desk.home / "witness" / "parents.log"
        marks.write_text(marks.read_text() + "f00d\n")

    desk = await put_back(await new_desk(), tmp_path, since)
    assert len(await asked_for(desk, order, monkeypatch)) == 18


def test_marks_are_read_again_but_for_one_that_a_crash_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "witness" / "parents.log"
    marks = ParentMarks(path)
    marks.begin(1)
    marks.note("old", 1)
    marks.note("new", 3)
    marks.note("old", 3)
    path.write_text(path.read_text() + "0123456789abcdef 1")
    for _ in range(2):
        life = ParentMarks(path)
        assert not life.is_from("old", 2)
        assert life.is_from("new", 2)
        life.begin(4)
        life.note("later", 4)
        assert life.is_from("later", 2)
    marks = ParentMarks(path)
    marks.distrust(2)
    assert not marks.is_from("new", 2)
    assert len(path.read_text().splitlines()) == 5
