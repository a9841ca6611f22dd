"""Halts of a real system: nats-server, operations, risk and OMS as processes, under load.

One halt in each scenario, with generous bounds; ``python -m tools.halts.latency`` measures.
"""

from __future__ import annotations

from tools.halts.latency import measure

RATE_PER_S = 40.0
"""What the processes keep up with on a busy machine, so that an answer is not a matter of luck."""


async def test_h5_h6_the_socket_halts_without_nats_and_a_zombie_is_fenced() -> None:
    """H6 with nats-server frozen; H5 with the OMS frozen, halted and thawed: nothing is sent."""
    names = ["NATS down", "OMS frozen and thawed", "NATS up"]
    down, frozen, up = await measure(names, 1, rate_per_s=RATE_PER_S)
    assert down.worst <= 1.0
    assert frozen.worst == 0.0
    assert up.worst <= 1.0
    assert up.told_s


async def test_e8_h5_cut_off_from_operations_the_lease_ends_it() -> None:
    """E8, H5: the halt is on another machine that nobody can reach; two seconds later it holds."""
    (cut,) = await measure(["partition"], 1, rate_per_s=RATE_PER_S)
    assert cut.worst <= 2.5
