"""The token campaign: nothing forged gets through, and the campaign would notice if it did."""

from collections.abc import Callable
from typing import Any

import pytest
from mts1b_foundation import Order, RiskApproval
from mts1b_riskengine.errors import ApprovalInvalid
from mts1b_riskengine.token_attack import ATTACKS, attack, campaign

GENUINE = campaign.verify_approval
COUNT = 100_000


def test_p9_no_attack_of_any_kind_is_accepted() -> None:
    report = attack(COUNT, seed=1)
    assert report.accepted == []
    assert report.passed
    assert report.attacks == COUNT
    assert set(report.tried) == set(ATTACKS)
    assert min(report.tried.values()) >= COUNT // len(ATTACKS)
    assert report.genuine == COUNT // 10


Check = Callable[..., None]


def forgiving(fields: set[str]) -> Check:
    """Return a verification that overlooks ``fields``: one planted defect each."""

    def verify(approval: RiskApproval, order: Order, verifier: Any, **where: Any) -> None:
        try:
            GENUINE(approval, order, verifier, **where)
        except ApprovalInvalid as error:
            if error.field not in fields:
                raise

    return verify


@pytest.mark.parametrize(
    ("overlooked", "seen_as"),
    [
        ("signature", "damaged signature"),
        ("mode", "other mode"),
        ("expires_at", "expired"),
        ("expires_at", "clock set back"),
        ("issued_at", "before its time"),
        ("halt_epoch", "other epoch"),
        ("lease_id", "other lease"),
        ("quantity", "changed order"),
    ],
)
def test_a_verification_that_overlooks_a_field_is_found_out(
    monkeypatch: pytest.MonkeyPatch, overlooked: str, seen_as: str
) -> None:
    monkeypatch.setattr(campaign, "verify_approval", forgiving({overlooked}))
    report = attack(3_000, seed=2)
    assert not report.passed
    assert any(case.startswith(seen_as) for case in report.accepted)


def test_approvals_that_may_be_used_twice_are_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(campaign.UsedApprovals, "use", lambda self, approval: None)
    report = attack(200, seed=3)
    assert {case.split(" (")[0] for case in report.accepted} == {"replayed"}


def test_a_verification_that_refuses_everything_does_not_pass(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*args: Any, **where: Any) -> None:
        raise ApprovalInvalid("signature", "no")

    monkeypatch.setattr(campaign, "verify_approval", refuse)
    assert not attack(100, seed=4).passed
