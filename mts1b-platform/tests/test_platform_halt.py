"""The halt record: durable, sticky, idempotent, and closed when it can not be read."""

import fcntl
import json
import os
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mts1b_foundation.risk import ActiveHalt, HaltSeverity
from mts1b_platform.halt import HaltStateUnreadable, HaltStore

AT = datetime(2026, 1, 2, 15, tzinfo=UTC)
SEVERITIES = {
    "firm": HaltSeverity.FIRM_HALT,
    "fund": HaltSeverity.FUND_HALT,
    "strategy": HaltSeverity.STRATEGY_HALT,
}


def halt(scope: str, halt_id: str = "", *, reduce_only: bool = False) -> ActiveHalt:
    return ActiveHalt(
        halt_id=halt_id or f"halt-{scope}",
        scope=scope,
        severity=SEVERITIES[scope.partition(":")[0]],
        reason="test",
        requested_by="operator:test",
        requested_at=AT,
        epoch=1,
        reduce_only_allowed=reduce_only,
    )


def stopped_by(
    store: HaltStore, fund: str = "a", strategy: str = "s", *, reduce_only: bool = False
) -> str | None:
    found = store.blocked(fund_id=fund, strategy_id=strategy, reduce_only=reduce_only)
    return found.scope if found else None


def test_each_scope_stops_what_it_names_and_the_widest_is_told(tmp_path: Path) -> None:
    store = HaltStore(tmp_path)
    assert stopped_by(store) is None
    store.apply(halt("strategy:s"))
    assert stopped_by(store) == "strategy:s"
    assert stopped_by(store, strategy="other") is None
    store.apply(halt("fund:a"))
    assert stopped_by(store, strategy="other") == "fund:a"
    assert stopped_by(store, fund="b", strategy="other") is None
    store.apply(halt("firm"))
    assert stopped_by(store, fund="b", strategy="other") == "firm"


def test_a_halt_survives_a_restart_and_is_seen_by_others(tmp_path: Path) -> None:
    reader = HaltStore(tmp_path)
    assert stopped_by(reader) is None
    HaltStore(tmp_path).apply(halt("firm"))
    assert stopped_by(reader) == "firm"
    assert stopped_by(HaltStore(tmp_path)) == "firm"
    HaltStore(tmp_path).lift("firm")
    assert stopped_by(reader) is None


def test_every_change_raises_the_epoch_and_a_repetition_does_not(tmp_path: Path) -> None:
    store = HaltStore(tmp_path)
    assert store.apply(halt("firm", "h1")).epoch == 1
    assert store.apply(halt("firm", "h1")).epoch == 1
    assert store.apply(halt("fund:a", "h2")).active[1].epoch == 2
    assert store.lift("firm").epoch == 3
    assert store.lift("firm").epoch == 3
    assert [item.scope for item in store.state().active] == ["fund:a"]


def test_a_lifted_halt_does_not_come_back_with_a_late_repetition(tmp_path: Path) -> None:
    store = HaltStore(tmp_path)
    store.apply(halt("firm", "h1"))
    store.lift("firm")
    store.apply(halt("firm", "h1"))
    assert stopped_by(store) is None
    store.apply(halt("firm", "h2"))
    assert stopped_by(store) == "firm"


def test_what_was_lifted_long_ago_does_not_come_back_either(tmp_path: Path) -> None:
    store = HaltStore(tmp_path)
    for name in ("h1", "h2"):
        store.apply(halt("firm", name))
        store.lift("firm")
    store.apply(halt("firm", "h1"))
    assert stopped_by(store) is None


def test_a_lift_ends_what_was_seen_and_not_what_came_later(tmp_path: Path) -> None:
    store = HaltStore(tmp_path)
    seen = store.apply(halt("firm", "h1")).epoch
    store.apply(halt("firm", "h2"))
    store.lift("firm", upto=seen)
    assert [item.halt_id for item in store.state().active] == ["h2"]
    assert stopped_by(store) == "firm"


def test_a_change_of_the_same_size_in_the_same_moment_is_seen(tmp_path: Path) -> None:
    reader, path = HaltStore(tmp_path), tmp_path / "halts.json"
    reader.apply(halt("fund:a", "h1"))
    assert stopped_by(reader, fund="b") is None
    was = path.stat()
    other = tmp_path / "other"
    other.write_text(path.read_text().replace("fund:a", "fund:b"))
    os.utime(other, ns=(was.st_atime_ns, was.st_mtime_ns))
    os.replace(other, path)
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (was.st_size, was.st_mtime_ns)
    assert stopped_by(reader, fund="b") == "fund:b"


def test_lifting_a_fund_leaves_the_firm_halted(tmp_path: Path) -> None:
    store = HaltStore(tmp_path)
    store.apply(halt("firm"))
    store.apply(halt("fund:a"))
    store.lift("fund:a")
    assert stopped_by(store) == "firm"


def test_reduce_only_passes_where_the_halt_allows_it(tmp_path: Path) -> None:
    store = HaltStore(tmp_path)
    store.apply(halt("fund:a", reduce_only=True))
    assert stopped_by(store) == "fund:a"
    assert stopped_by(store, reduce_only=True) is None
    store.apply(halt("firm"))
    assert stopped_by(store, reduce_only=True) == "firm"


@pytest.mark.parametrize("content", ["", "{", '{"epoch": "x"}', '{"unknown": 1}', "\x00\x01"])
def test_what_can_not_be_read_halts_everything(tmp_path: Path, content: str) -> None:
    store = HaltStore(tmp_path)
    store.apply(halt("fund:a"))
    (tmp_path / "halts.json").write_text(content)
    assert stopped_by(store, fund="z", reduce_only=True) == "firm"
    with pytest.raises(HaltStateUnreadable, match=r"halts\.json"):
        store.state()
    with pytest.raises(HaltStateUnreadable):
        store.lift("fund:a")


def test_a_mended_record_counts_again(tmp_path: Path) -> None:
    store = HaltStore(tmp_path)
    store.apply(halt("fund:a"))
    good = (tmp_path / "halts.json").read_bytes()
    (tmp_path / "halts.json").write_text("{")
    assert stopped_by(store, fund="b") == "firm"
    (tmp_path / "halts.json").write_bytes(good)
    assert stopped_by(store, fund="b") is None
    assert stopped_by(store, fund="a") == "fund:a"


def test_h1_a_halt_that_can_not_be_written_halts_everything(tmp_path: Path) -> None:
    store, other = HaltStore(tmp_path), HaltStore(tmp_path)
    store.apply(halt("fund:b"))
    assert stopped_by(other) is None
    (tmp_path / "halts.partial").mkdir()  # no file can be made under this name
    with pytest.raises(HaltStateUnreadable, match="fund:a could not be written"):
        store.apply(halt("fund:a"))
    for reader in (store, other, HaltStore(tmp_path)):
        assert stopped_by(reader, fund="z", reduce_only=True) == "firm"


def test_a_record_that_is_put_back_counts_again(tmp_path: Path) -> None:
    store = HaltStore(tmp_path)
    store.apply(halt("firm"))
    names = ("halts.json", "halts.kept")
    for name in names:
        (tmp_path / name).rename(tmp_path / f"{name}.away")
    assert stopped_by(store) is None
    for name in names:
        (tmp_path / f"{name}.away").rename(tmp_path / name)
    assert stopped_by(store) == "firm"


def test_a_halt_is_on_disk_before_it_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, record, acts = HaltStore(tmp_path), tmp_path / "halts.json", list[tuple[str, bool]]()

    def synced(handle: int) -> None:
        acts.append((Path(os.readlink(f"/proc/self/fd/{handle}")).name, record.exists()))

    monkeypatch.setattr(os, "fsync", synced)
    store.apply(halt("firm"))
    assert acts == [("halts.partial", False), (tmp_path.name, True)]


def test_a_write_that_was_interrupted_changes_nothing(tmp_path: Path) -> None:
    store = HaltStore(tmp_path)
    store.apply(halt("firm"))
    (tmp_path / "halts.partial").write_text('{"epoch": 99')
    assert HaltStore(tmp_path).state().epoch == 1
    assert HaltStore(tmp_path).lift("firm").epoch == 2


def _apply_many(directory: str, worker: int) -> None:
    store = HaltStore(Path(directory))
    for number in range(10):
        store.apply(halt(f"fund:{worker}-{number}"))


def test_processes_that_write_at_once_lose_nothing(tmp_path: Path) -> None:
    with ProcessPoolExecutor(3, mp_context=get_context("spawn")) as pool:
        list(pool.map(_apply_many, [str(tmp_path)] * 3, range(3)))
    state = HaltStore(tmp_path).state()
    assert state.epoch == 30
    assert len(state.active) == 30
    assert sorted(item.epoch for item in state.active) == list(range(1, 31))


def test_who_writes_holds_the_lock_from_reading_to_renaming(tmp_path: Path) -> None:
    """Processes that write at once seldom meet; whether they would wait shows each time."""
    store = HaltStore(tmp_path)
    with (
        store._writing(),
        (tmp_path / "halts.lock").open("rb") as other,
        pytest.raises(BlockingIOError),
    ):
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)


SCOPES = st.sampled_from(["firm", "fund:a", "fund:b", "strategy:s", "strategy:t"])
ACTS = st.lists(st.tuples(st.sampled_from(["apply", "lift"]), SCOPES), max_size=12)


@settings(max_examples=30, deadline=None)
@given(acts=ACTS)
def test_an_order_passes_only_when_no_scope_of_it_is_halted(
    tmp_path_factory: pytest.TempPathFactory, acts: list[tuple[str, str]]
) -> None:
    store = HaltStore(tmp_path_factory.mktemp("halt"))
    model: set[str] = set()
    for number, (act, scope) in enumerate(acts):
        if act == "apply":
            store.apply(halt(scope, f"h{number}"))
            model.add(scope)
        else:
            store.lift(scope)
            model.discard(scope)
    for fund in ("a", "b"):
        for strategy in ("s", "t"):
            mine = {"firm", f"fund:{fund}", f"strategy:{strategy}"}
            assert (stopped_by(store, fund, strategy) is None) == (not mine & model)


def test_the_record_is_readable_by_people(tmp_path: Path) -> None:
    HaltStore(tmp_path).apply(halt("firm"))
    data = json.loads((tmp_path / "halts.json").read_text())
    assert data["active"][0]["reason"] == "test"
    assert os.stat(tmp_path / "halts.lock").st_mode & 0o777 == 0o600


def test_nobody_else_may_write_the_record_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        HaltStore(tmp_path).apply(halt("firm"))
    finally:
        os.umask(before)
    for name in ("halts.json", "halts.kept", "halts.lock"):
        assert os.stat(tmp_path / name).st_mode & 0o022 == 0, name
