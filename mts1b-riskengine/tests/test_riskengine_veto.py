"""The veto of the CRO: asked where enabled; without a sound opinion nothing passes."""

import asyncio
from typing import Any

import pytest
from mts1b_foundation import DenyCode, Order
from mts1b_riskengine import CroOpinion, RiskPolicy, default_gates
from riskengine_desk import PASSED, MakeDesk, judged, make_envelope


class Cro:
    """A CRO that gives one answer, raises it, or never answers."""

    def __init__(self, answer: object = None) -> None:
        self.answer = answer
        self.asked = 0

    async def __call__(self, order: Order, envelope: Any) -> Any:
        self.asked += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        if self.answer is None:
            await asyncio.Event().wait()
        return self.answer


class Unheard(Exception):  # not a subclass of anything that the pipeline lists
    """A client library's own error."""


NO_OPINION = [
    None,
    Unheard("down"),
    ConnectionError("down"),
    "veto",
    True,
    CroOpinion(veto=True, confidence=float("nan")),
    CroOpinion(veto=False, confidence=1.5),
    CroOpinion(veto=0, confidence=1.0),  # type: ignore[arg-type]
]


def cro_limits() -> Any:
    return make_envelope(cro_veto_enabled=True, cro_veto_timeout_s=0.01)


async def test_the_cro_is_not_asked_unless_enabled(make_desk: MakeDesk) -> None:
    cro = Cro(CroOpinion(veto=True, confidence=1.0))
    desk = await make_desk(gates=default_gates(cro=cro))
    assert await judged(desk) == PASSED
    assert cro.asked == 0


@pytest.mark.parametrize(
    ("opinion", "code"),
    [
        (CroOpinion(veto=True, confidence=0.85, reason="earnings"), DenyCode.CRO_VETO),
        (CroOpinion(veto=True, confidence=0.849), ""),
        (CroOpinion(veto=False, confidence=1.0), ""),
        (CroOpinion(veto=False, confidence=0.0), ""),
    ],
)
async def test_a_veto_needs_confidence(make_desk: MakeDesk, opinion: CroOpinion, code: str) -> None:
    cro = Cro(opinion)
    desk = await make_desk(envelope=cro_limits(), gates=default_gates(cro=cro))
    assert (await judged(desk))[1] == code
    assert cro.asked == 1


@pytest.mark.parametrize("answer", NO_OPINION, ids=str)
async def test_no_sound_opinion_denies(make_desk: MakeDesk, answer: object) -> None:
    desk = await make_desk(envelope=cro_limits(), gates=default_gates(cro=Cro(answer)))
    assert await judged(desk) == ("cro_veto", DenyCode.CRO_UNAVAILABLE)


async def test_no_cro_at_all_denies(make_desk: MakeDesk) -> None:
    desk = await make_desk(envelope=cro_limits())
    assert await judged(desk) == ("cro_veto", DenyCode.CRO_UNAVAILABLE)


async def test_failing_open_takes_an_explicit_policy_and_never_overrides_a_veto(
    make_desk: MakeDesk,
) -> None:
    policy = RiskPolicy(cro_absence="pass")
    cro = Cro(ConnectionError("down"))
    desk = await make_desk(envelope=cro_limits(), gates=default_gates(cro=cro), policy=policy)
    assert await judged(desk, number=1) == PASSED
    cro.answer = CroOpinion(veto=True, confidence=0.9)
    assert await judged(desk, number=2) == ("cro_veto", DenyCode.CRO_VETO)
