"""Logs and secrets: lines for programs and people, ids that follow a task, nothing secret."""

import asyncio
import io
import json
from collections.abc import Iterator

import pytest
import structlog
from mts1b_platform.config import LogSettings
from mts1b_platform.logging import (
    bind_contextvars,
    clear_contextvars,
    configure_logging,
    get_logger,
)
from mts1b_platform.security import MASK, SecretRegistry, redact


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    yield
    clear_contextvars()
    structlog.reset_defaults()


def lines(out: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_a_line_is_json_with_time_level_and_logger() -> None:
    out = io.StringIO()
    configure_logging(LogSettings(), stream=out)
    get_logger("oms").info("order accepted", order_id="o-1")
    (line,) = lines(out)
    assert line["event"] == "order accepted"
    assert line["logger"] == "oms"
    assert line["level"] == "info"
    assert line["order_id"] == "o-1"
    assert str(line["timestamp"]).endswith("Z")


def test_levels_below_the_set_one_are_silent() -> None:
    out = io.StringIO()
    configure_logging(LogSettings(level="WARNING"), stream=out)
    get_logger("x").info("no")
    get_logger("x").warning("yes")
    assert [line["event"] for line in lines(out)] == ["yes"]


async def test_correlation_ids_follow_their_task() -> None:
    out = io.StringIO()
    configure_logging(LogSettings(), stream=out)
    log = get_logger("x")

    async def handle(order: str) -> None:
        bind_contextvars(order_id=order)
        await asyncio.sleep(0)
        log.info("handled")

    await asyncio.gather(handle("o-1"), handle("o-2"))
    log.info("outside")
    assert [line.get("order_id") for line in lines(out)] == ["o-1", "o-2", None]


def test_secrets_never_reach_a_line() -> None:
    out = io.StringIO()
    secrets = SecretRegistry(["hunter2-password"])
    configure_logging(LogSettings(), secrets, stream=out)
    log = get_logger("x")
    log.info("login hunter2-password", nested={"deep": ["hunter2-password"]})
    log.info("url", url="postgresql://mts:topsecret@db/x", header="Authorization: Bearer abc")
    try:
        raise ValueError("rejected hunter2-password")
    except ValueError:
        log.exception("failed")
    text = out.getvalue()
    for secret in ("hunter2-password", "topsecret", "Bearer abc"):
        assert secret not in text
    assert MASK in text


def test_the_console_form_is_for_people() -> None:
    out = io.StringIO()
    configure_logging(LogSettings(format="console"), stream=out)
    get_logger("oms").info("order accepted", order_id="o-1")
    assert "order accepted" in out.getvalue()
    assert "order_id=o-1" in out.getvalue()


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("api_key=abc123", "abc123"),
        ("API-KEY: abc123", "abc123"),
        ('{"password": "abc123"}', "abc123"),
        ("passphrase=abc123;", "abc123"),
        ("nats://user:abc123@host", "abc123"),
        ("Authorization: Bearer abc123.def", "abc123"),
        ("Authorization: Basic abc123==", "abc123"),
        ("nats://abc123@host:4222", "abc123"),
        ("-----BEGIN PRIVATE KEY-----\nabc123\n-----END PRIVATE KEY-----", "abc123"),
    ],
)
def test_what_looks_like_a_secret_is_masked(text: str, secret: str) -> None:
    assert secret not in redact(text)
    assert MASK in redact(text)


@pytest.mark.parametrize(
    "text", ["order o-1 filled at 100.5", "see https://example.org/path", "mail a@example.org"]
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redact(text) == text


def test_a_short_value_is_not_registered() -> None:
    assert SecretRegistry(["a"]).redact("a banana") == "a banana"


def test_a_secret_inside_another_is_masked_whole() -> None:
    assert SecretRegistry(["secret", "secret-long"]).redact("x secret-long y") == f"x {MASK} y"


def test_data_is_redacted_at_every_depth() -> None:
    registry = SecretRegistry(["hunter2-password"])
    data = {"a": ["hunter2-password", {"b": ("hunter2-password", 1)}], "c": None}
    assert registry.redact_data({"api_key": "abc", "tokens": 3, "password": None}) == {
        "api_key": MASK,
        "tokens": 3,
        "password": None,
    }
    assert registry.redact_data(data) == {"a": [MASK, {"b": (MASK, 1)}], "c": None}
