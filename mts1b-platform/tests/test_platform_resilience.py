"""Retries, rate limits and the circuit breaker, in virtual time."""

import asyncio
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mts1b_platform.circuit import CircuitBreaker, CircuitOpen, CircuitState
from mts1b_platform.ratelimit import RateLimiter
from mts1b_platform.retry import RetryPolicy, retry
from mts1b_platform.rng import SeededRng
from mts1b_platform.simulation import DeterministicLoop, run


class Flaky:
    """Fail a number of times, then answer."""

    def __init__(self, failures: int, error: type[Exception] = ConnectionError) -> None:
        self.left = failures
        self.error = error
        self.calls = 0

    async def __call__(self) -> str:
        self.calls += 1
        if self.left > 0:
            self.left -= 1
            raise self.error(f"call {self.calls}")
        return "done"


def retried(flaky: Flaky, policy: RetryPolicy, *, seed: int = 1) -> tuple[object, float]:
    """Run under ``policy``; return the result or error, and the seconds that it took."""

    async def main(loop: DeterministicLoop) -> tuple[object, float]:
        try:
            outcome: object = await retry(
                flaky,
                on=(ConnectionError,),
                clock=loop.clock,
                rng=SeededRng(seed),
                policy=policy,
            )
        except (ConnectionError, ValueError) as error:
            outcome = error
        return outcome, loop.time()

    return run(main, seed=seed)


def test_what_passes_is_tried_again() -> None:
    flaky = Flaky(3)
    assert retried(flaky, RetryPolicy(attempts=5))[0] == "done"
    assert flaky.calls == 4


def test_the_last_error_comes_out_when_attempts_run_out() -> None:
    flaky = Flaky(99)
    outcome, _ = retried(flaky, RetryPolicy(attempts=3))
    assert isinstance(outcome, ConnectionError)
    assert str(outcome) == "call 3"


def test_another_error_is_not_tried_again() -> None:
    flaky = Flaky(1, ValueError)
    assert isinstance(retried(flaky, RetryPolicy())[0], ValueError)
    assert flaky.calls == 1


def test_no_call_begins_after_the_budget() -> None:
    flaky = Flaky(10**6)
    policy = RetryPolicy(attempts=10**6, base_s=1.0, cap_s=1.0, budget_s=20.0)
    _, seconds = retried(flaky, policy)
    assert 10.0 < seconds <= 20.0


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32), failures=st.integers(1, 8))
def test_the_wait_stays_under_the_ceilings(seed: int, failures: int) -> None:
    policy = RetryPolicy(attempts=20, base_s=0.5, cap_s=4.0, budget_s=None)
    outcome, seconds = retried(Flaky(failures), policy, seed=seed)
    assert outcome == "done"
    assert seconds <= sum(policy.ceiling(number) for number in range(failures))


@pytest.mark.parametrize(
    "values", [{"attempts": 0}, {"base_s": 0.0}, {"base_s": 2.0, "cap_s": 1.0}]
)
def test_a_policy_that_means_nothing_is_refused(values: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="attempts >= 1"):
        RetryPolicy(**values)  # type: ignore[arg-type]


def test_the_rate_holds_over_time_after_the_burst() -> None:
    async def main(loop: DeterministicLoop) -> list[float]:
        limiter = RateLimiter(10.0, burst=5)
        times = []
        for _ in range(25):
            async with limiter:
                times.append(loop.time())
        return times

    times = run(main, seed=1)
    assert times[4] == 0.0
    assert times[5] > 0.0
    assert times[-1] == pytest.approx(2.0, abs=0.01)


def test_a_weight_counts_and_an_impossible_one_is_refused() -> None:
    async def main(loop: DeterministicLoop) -> float:
        limiter = RateLimiter(10.0, burst=10)
        await limiter.acquire(10)
        assert not await limiter.try_acquire(1)
        with pytest.raises(ValueError, match="never fits"):
            await limiter.acquire(11)
        await limiter.acquire(5)
        return loop.time()

    assert run(main, seed=1) == pytest.approx(0.5, abs=0.01)


Step = Callable[[DeterministicLoop, CircuitBreaker], object]


def breaker_on(loop: DeterministicLoop) -> CircuitBreaker:
    return CircuitBreaker(
        "venue", clock=loop.clock, failures=(ConnectionError,), threshold=3, reset_after_s=30
    )


async def fail(breaker: CircuitBreaker, error: Exception) -> None:
    with pytest.raises(type(error)):
        async with breaker.call():
            raise error


def test_a_breaker_opens_waits_tries_and_closes() -> None:
    async def main(loop: DeterministicLoop) -> None:
        breaker = breaker_on(loop)
        for _ in range(3):
            assert breaker.state is CircuitState.CLOSED
            await fail(breaker, ConnectionError())
        assert breaker.state is CircuitState.OPEN
        await asyncio.sleep(10)
        with pytest.raises(CircuitOpen, match=r"failed 3 times.*20\.0 s") as caught:
            async with breaker.call():
                raise AssertionError("must not run")
        assert caught.value.retry_after_s == pytest.approx(20)
        await asyncio.sleep(20)
        assert breaker.state is CircuitState.HALF_OPEN
        await fail(breaker, ConnectionError())
        assert breaker.state is CircuitState.OPEN
        await asyncio.sleep(30)
        async with breaker.call():
            pass
        assert breaker.state is CircuitState.CLOSED

    run(main, seed=1)


def test_one_call_at_a_time_tries_a_half_open_breaker() -> None:
    async def main(loop: DeterministicLoop) -> None:
        breaker = breaker_on(loop)
        for _ in range(3):
            await fail(breaker, ConnectionError())
        await asyncio.sleep(30)
        async with breaker.call():
            with pytest.raises(CircuitOpen):
                async with breaker.call():
                    raise AssertionError("must not run")
        async with breaker.call():
            pass

    run(main, seed=1)


def test_a_cancelled_trial_lets_the_next_one_try() -> None:
    async def main(loop: DeterministicLoop) -> None:
        breaker = breaker_on(loop)
        for _ in range(3):
            await fail(breaker, ConnectionError())
        await asyncio.sleep(30)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1), breaker.call():
                await asyncio.sleep(60)
        async with breaker.call():
            pass

    run(main, seed=1)


def test_an_answer_that_is_an_error_of_another_kind_does_not_open() -> None:
    async def main(loop: DeterministicLoop) -> None:
        breaker = breaker_on(loop)
        for _ in range(10):
            await fail(breaker, ValueError())
        assert breaker.state is CircuitState.CLOSED

    run(main, seed=1)
