"""Subjects: the registry, its streams, the helpers that spell one, and versions."""

import pytest
from mts1b_foundation import Bar, Fill
from mts1b_foundation.nats import (
    OMS_FILLS_CREATED,
    STREAMS,
    SUBJECTS,
    RawFill,
    bars_subject,
    base_subject,
    fills_raw_subject,
    fund_of,
    matches,
    negotiate_version,
    spec_for,
    watchdog_subject,
    with_fund,
)


def test_every_documented_subject_is_registered_once() -> None:
    documented = [
        "oms.orders.created",
        "oms.orders.accepted",
        "oms.orders.rejected",
        "oms.orders.canceled",
        "oms.orders.submitted",
        "oms.orders.unknown",
        "oms.orders.expired",
        "oms.orders.replaced",
        "oms.fills.created",
        "oms.nav.updated",
        "research.signals.published",
        "risk.envelope.updated",
        "risk.gate.passed",
        "risk.gate.failed",
        "operations.halt.requested",
        "operations.halt.resumed",
        "operations.audit.appended",
        "platform.services.heartbeat",
        "oms.orders.submit",
        "oms.orders.cancel",
        "risk.orders.check",
        "risk.envelope.update",
        "operations.halt.request",
        "operations.halt.resume",
    ]
    assert {f"mts.v1.{path}" for path in documented} <= set(SUBJECTS)
    for name in [
        "health",
        "drift",
        "vpin",
        "news",
        "position",
        "db",
        "strategy",
        "theta",
        "dependency",
        "vol_dd",
    ]:
        assert watchdog_subject(name) in SUBJECTS


def test_streams_do_not_overlap() -> None:
    for spec in SUBJECTS.values():
        for subject in (spec.subject, with_fund(spec.subject, "f")):
            concrete = subject.replace("*", "x")
            keeping = [
                name
                for name, stream in STREAMS.items()
                if any(matches(pattern, concrete) for pattern in stream.subjects)
            ]
            assert keeping == ([spec.stream] if spec.stream else [])


def test_the_fund_suffix_goes_on_and_comes_off() -> None:
    subject = with_fund(OMS_FILLS_CREATED, "paper-momentum")
    assert subject == "mts.v1.oms.fills.created.fund.paper-momentum"
    assert base_subject(subject) == OMS_FILLS_CREATED
    assert fund_of(subject) == "paper-momentum"
    assert fund_of(OMS_FILLS_CREATED) is None
    assert spec_for(subject).model is Fill
    assert spec_for(bars_subject("BRK.B", "1d")).model is Bar
    assert fills_raw_subject("acme.eu") == "mts.v1.brokers.acme_eu.fills.raw"
    assert spec_for(fills_raw_subject("acme.eu")).model is RawFill
    with pytest.raises(ValueError, match="part of a subject"):
        with_fund(OMS_FILLS_CREATED, "a b")
    with pytest.raises(LookupError, match="no registered subject"):
        spec_for("mts.v1.oms.nothing.happened")


@pytest.mark.parametrize(
    ("pattern", "subject", "answer"),
    [
        ("a.*.c", "a.b.c", True),
        ("a.*", "a.b.c", False),
        ("a.>", "a.b.c", True),
        ("a.>", "a", False),
        ("a.b", "a.b.c", False),
        ("*.*.created", "x.y.created", True),
    ],
)
def test_wildcards(pattern: str, subject: str, answer: bool) -> None:
    assert matches(pattern, subject) is answer


def test_version_negotiation() -> None:
    assert negotiate_version(("v1", "v2")) == "v1"
    with pytest.raises(ValueError, match="offered v9"):
        negotiate_version(("v9",))
