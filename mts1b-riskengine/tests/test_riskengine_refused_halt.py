"""Operations refuses, or can not do, what a breach asks for: the risk engine lives on and asks."""

from __future__ import annotations

from pathlib import Path

from mts1b_foundation import DenyCode
from mts1b_foundation.nats import CMD_HALT_REQUEST
from riskengine_desk import AT, FUND, make_order
from test_riskengine_service import World, until


async def test_a_refused_halt_is_asked_for_again_and_denies_meanwhile(tmp_path: Path) -> None:
    world = World(tmp_path, replay=False)
    refused: list[bytes] = []
    await world.start()
    for server in list(world.bus._servers):
        if server.subject == CMD_HALT_REQUEST:
            world.bus.forget_server(server)

    async def refuse(data: bytes) -> bytes:
        refused.append(data)
        raise OSError(28, "No space left on device")

    serving = await world.bus.serve(CMD_HALT_REQUEST, refuse)
    world.clock.advance_to(AT)
    await world.bar(0)
    await world.nav(0, "100000")
    await world.nav(1, "90000")
    engine = world.service.engine
    await until(lambda: engine.book.funds.get(FUND).breach)

    def later(done: bool) -> bool:
        world.clock.advance(0.1)
        return done

    await until(lambda: later(len(refused) > 1))
    assert (await engine.check(make_order(1))).code == DenyCode.DAILY_LOSS
    await serving.unsubscribe()
    await world.bus.serve(CMD_HALT_REQUEST, world._halt)
    await until(lambda: later(engine.book.funds.get(FUND).halted))
    await world.stop_service()
    await world.bus.close()
    assert world.failures == []
