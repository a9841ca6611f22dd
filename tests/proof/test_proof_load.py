"""The load figures of a real system at a low rate, and the parts that make them."""

from __future__ import annotations

import asyncio
import time
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tools.proof.load import measure, report_of, sustained
from tools.proof.metronome import Metronome
from tools.proof.percentiles import percentile, summary

RATE, SECONDS = 20.0, 3.0


async def test_every_order_is_timed_from_its_intended_moment_to_the_wire(tmp_path: Path) -> None:
    run = await measure(tmp_path, rates=[RATE], seconds=SECONDS, seed=1)
    (burst,) = run.bursts
    denied = sum(count for said, count in burst.said.items() if said.isupper())
    assert len(burst.due) == pytest.approx(RATE * SECONDS, abs=3)
    assert len(burst.wire_s) == len(burst.due) - denied > 0
    assert min(burst.wire_s) > 0.0
    assert min(burst.answer_s) > min(burst.wire_s)
    assert {"nats", "venue", "operations", "riskengine", "oms"} < set(burst.cpu_s)
    assert run.stages["oms.submit"]["count"] >= len(burst.wire_s)
    figures = report_of([run], run)
    assert figures["wire_ms_minimum"]["p50"] > 0.0
    assert figures["floor_path_ms_median"]["p50"] > 0.0
    assert sustained(run) in (0.0, RATE)


async def test_beats_carry_the_time_at_which_they_were_due() -> None:
    """A loop that was busy gets the beats that it missed, with their own times."""
    due: list[float] = []
    done = asyncio.Event()

    def beat(at: float) -> None:
        due.append(at)
        if len(due) == 5:
            until = time.perf_counter() + 0.02
            while time.perf_counter() < until:
                pass
        if len(due) >= 50:
            done.set()

    metronome = Metronome(1000.0, beat)
    metronome.start()
    await asyncio.wait_for(done.wait(), 10)
    metronome.stop()
    steps = [after - before for before, after in pairwise(due)]
    assert steps == pytest.approx([0.001] * len(steps))


@given(st.lists(st.floats(0.0, 1e3), min_size=1, max_size=200), st.floats(0.01, 1.0))
@settings(max_examples=50, deadline=None)
def test_a_percentile_is_a_sample_with_that_share_at_or_below(
    samples: list[float], share: float
) -> None:
    found = percentile(samples, share)
    assert found in samples
    assert sum(one <= found for one in samples) >= share * len(samples)
    below = [one for one in samples if one < found]
    assert len(below) < share * len(samples)


def test_a_summary_of_nothing() -> None:
    assert summary([])["count"] == 0
