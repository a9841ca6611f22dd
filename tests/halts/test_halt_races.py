"""Halt races in virtual time: a short form of ``make halts``, and the fault that it must find."""

from __future__ import annotations

from collections import Counter

from tools.halts.races import RaceReport, main, race


def _run(seeds: range, rounds: int, *, queues: bool = False) -> RaceReport:
    total = RaceReport()
    for seed in seeds:
        total.add(race(seed, rounds, queues=queues))
    return total


def test_h3_h5_no_order_reaches_the_wire_under_a_halt() -> None:
    """H3, H5: 200 races; halted by record, bus and socket, near and far, and over restarts."""
    total = _run(range(1, 11), 20)
    assert total.races == 200
    assert total.violations == []
    assert total.leaks == 0
    assert total.sent > 200
    assert total.last_allowed_s <= 2.0
    seen = Counter(total.counters)
    for name in (
        "halt by record",
        "halt by bus",
        "halt by socket",
        "halt elsewhere",
        "halt elsewhere, cut off",
        "halt of firm",
        "halt of fund",
        "halt of strategy",
        "halt of venue",
        "halt of symbol",
        "limiter exhausted",
        "oms killed under halt",
        "algo accepted",
        "cancelled until none",
    ):
        assert seen[name] > 0, name


def test_an_adapter_that_waits_between_fence_and_wire_is_found() -> None:
    """H3 with a planted fault: the check is not the last instruction before the wire."""
    total = _run(range(2, 9, 2), 25, queues=True)
    assert total.leaks > 0
    assert any("after the halt of" in text for text in total.violations)


def test_a_race_is_a_function_of_its_seed() -> None:
    """Equal seeds give equal traces, so that a leak can be looked at again."""
    first, second = race(7, 5), race(7, 5)
    assert first.digest == second.digest
    assert first.sent == second.sent


def test_the_command_ends_with_zero() -> None:
    """``python -m tools.halts.races`` exits with 0 when nothing leaked."""
    assert main(["--races", "25", "--json"]) == 0
