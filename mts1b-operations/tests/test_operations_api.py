"""The public API: what it answers, what it refuses, and how it limits."""

from __future__ import annotations

import gc
import socket
import weakref
from collections.abc import Iterator
from decimal import Decimal

import pytest
from mts1b_foundation.market_data import Bar, Quote
from mts1b_foundation.risk import ActiveHalt, HaltSeverity
from mts1b_operations.api import ApiServer, Board, PeerLimiter, create_app
from mts1b_operations.errors import ApiPortInUse
from mts1b_platform.clock import VirtualClock
from mts1b_platform.exit_codes import ExitCode
from operations_world import FUND, START, day, nav
from starlette.testclient import TestClient

CLOCK = VirtualClock(START)
HOME = "http://localhost"
HALT = ActiveHalt(
    halt_id="halt-1",
    scope=f"fund:{FUND}",
    severity=HaltSeverity.FUND_HALT,
    reason="daily loss",
    requested_by="mts1b-riskengine",
    requested_at=START,
    epoch=1,
)


def bar(number: int) -> Bar:
    price = Decimal(100 + number)
    return Bar(
        symbol="BRK.B",
        interval="1d",
        open=price,
        high=price,
        low=price,
        close=price,
        timestamp=day(number),
    )


@pytest.fixture
def board() -> Board:
    made = Board()
    quote = Quote(
        symbol="AAPL", bid=Decimal("99.5"), ask=Decimal(100), venue="replay", timestamp=START
    )
    made.put_quote("AAPL", quote.model_dump_json().encode())
    for number in range(3):
        made.put_bar("BRK_B", "1d", bar(number).model_dump_json().encode())
    made.put_nav(nav(0, "990000"))
    made.put_nav(nav(0, "10", strategy_id="trend"))
    return made


@pytest.fixture
def client(board: Board) -> Iterator[TestClient]:
    checks = {"bus": "ok"}

    async def halts() -> list[ActiveHalt]:
        return [HALT]

    async def health() -> dict[str, str]:
        return checks

    app = create_app(
        board=board, halts=halts, health=health, limiter=PeerLimiter(CLOCK, burst=1_000)
    )
    app.state.checks = checks
    with TestClient(app, base_url=HOME) as made:
        yield made


def test_the_documented_paths(client: TestClient) -> None:
    assert client.get("/v1/quotes/AAPL").json()["bid"] == "99.5"
    bars = client.get("/v1/bars/BRK.B?interval=1d").json()
    assert [Bar.model_validate(item).close for item in bars] == [100, 101, 102]
    fund = client.get("/v1/funds").json()
    assert fund == [
        {
            "fund_id": FUND,
            "as_of": "2008-09-15T20:00:00Z",
            "nav_usd": "990000",
            "drawdown": "-0.01",
            "halted": True,
        }
    ]
    assert [ActiveHalt.model_validate(item) for item in client.get("/v1/halts").json()] == [HALT]
    assert client.get("/v1/healthz").json() == {"status": "ok"}
    assert client.head("/v1/funds").status_code == 200


def test_what_is_not_there_or_wrong(client: TestClient) -> None:
    assert client.get("/v1/quotes/MSFT").status_code == 404
    assert client.get("/v1/bars/MSFT").status_code == 404
    assert client.get("/v1/bars/BRK.B?interval=7d").status_code == 422
    assert client.get("/v1/quotes/" + "A" * 50).status_code == 422
    assert client.get("/v1/quotes/%00").status_code == 422
    assert client.get("/v1/funds?x=" + "y" * 3000).status_code == 414
    for path in ("/docs", "/openapi.json", "/v1/orders", "/"):
        assert client.get(path).status_code == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])
def test_nothing_but_reading(client: TestClient, method: str) -> None:
    response = client.request(method, "/v1/halts")
    assert response.status_code == 405
    assert response.headers["allow"] == "GET, HEAD"
    assert client.request(method, "/nowhere").status_code == 405


@pytest.mark.parametrize("path", ["/v1/halts", "/v1/funds", "/v1/quotes/AAPL", "/nowhere"])
@pytest.mark.parametrize("name", ["evil.example", "localhost.evil.example:80", "", "8.8.8.8", "["])
def test_a_name_that_a_page_had_resolved_to_this_machine_is_not_answered(
    client: TestClient, path: str, name: str
) -> None:
    response = client.get(path, headers={"Host": name})
    assert response.status_code == 421
    assert "api.names" in response.json()["detail"]
    assert "halt" not in response.text


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1:8080", "[::1]:8080", "LOCALHOST.:1"])
def test_this_machine_is_answered(client: TestClient, name: str) -> None:
    assert client.get("/v1/halts", headers={"Host": name}).status_code == 200


def test_every_answer_is_uncached_and_typed(client: TestClient) -> None:
    for path in ("/v1/funds", "/nowhere"):
        headers = client.get(path).headers
        assert headers["cache-control"] == "no-store"
        assert headers["x-content-type-options"] == "nosniff"


def test_a_failing_check_turns_health_red(client: TestClient) -> None:
    client.app.state.checks["bus"] = "disconnected"  # type: ignore[attr-defined]
    response = client.get("/v1/healthz")
    assert (response.status_code, response.json()) == (503, {"status": "failing"})


def test_the_limit_is_per_peer_and_no_header_bends_it(board: Board) -> None:
    async def halts() -> list[ActiveHalt]:
        return []

    async def health() -> dict[str, str]:
        return {}

    clock = VirtualClock(START)
    limiter = PeerLimiter(clock, per_second=2.0, burst=5)
    app = create_app(board=board, halts=halts, health=health, limiter=limiter)
    with TestClient(app, base_url=HOME, client=("10.0.0.1", 1)) as one:
        answers = [
            one.get("/v1/halts", headers={"X-Forwarded-For": f"1.2.3.{n}"}) for n in range(7)
        ]
        assert [a.status_code for a in answers] == [200] * 5 + [429] * 2
        assert answers[-1].headers["retry-after"] == "1"
        clock.advance(1.0)
        assert [one.get("/v1/halts").status_code for _ in range(3)] == [200, 200, 429]
    with TestClient(app, base_url=HOME, client=("10.0.0.2", 1)) as two:
        assert two.get("/v1/halts").status_code == 200


def test_ipv6_peers_count_by_their_network() -> None:
    limiter = PeerLimiter(VirtualClock(START), per_second=1.0, burst=1)
    assert limiter.wait_for("2001:db8::1") == 0.0
    assert limiter.wait_for("2001:db8::2") > 0.0
    assert limiter.wait_for("2001:db8:0:1::1") == 0.0


async def test_a_taken_port_is_a_clear_error() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        app = create_app(
            board=Board(),
            halts=None,  # type: ignore[arg-type]
            health=None,  # type: ignore[arg-type]
            limiter=PeerLimiter(CLOCK),
        )
        with pytest.raises(ApiPortInUse, match=r"api\.port") as caught:
            ApiServer(app, host="127.0.0.1", port=port).bind()
    assert caught.value.exit_code is ExitCode.UNAVAILABLE


class Started:
    """What the questions of one application are put to."""

    async def halts(self) -> list[ActiveHalt]:
        return [HALT]

    async def health(self) -> dict[str, str]:
        return {"bus": "ok"}


def test_an_application_that_has_ended_leaves_nothing_in_memory(board: Board) -> None:
    """The framework remembers functions of routes for ever: once all of each start went with it."""
    started = Started()
    app = create_app(
        board=board, halts=started.halts, health=started.health, limiter=PeerLimiter(CLOCK)
    )
    with TestClient(app, base_url=HOME) as client:
        assert client.get("/v1/healthz").json() == {"status": "ok"}
    ended = weakref.ref(started)
    del app, client, started
    gc.collect()
    assert ended() is None
