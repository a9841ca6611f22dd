"""Whether the OMS can call a venue at all; ``isinstance`` on a protocol sees names alone."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from mts1b_foundation.protocols import (
    AccountQuery,
    BrokerProtocol,
    CancelAllOrders,
    CapabilityCard,
    CorrectionHistory,
    DeadManTimer,
    FillHistory,
    OrderQuery,
    ReplaceOrders,
    SimulatedVenue,
)

__all__ = ["CompleteVenue", "misfits", "takes"]


class CompleteVenue(
    BrokerProtocol,
    OrderQuery,
    FillHistory,
    AccountQuery,
    CancelAllOrders,
    CapabilityCard,
    ReplaceOrders,
    CorrectionHistory,
    DeadManTimer,
    SimulatedVenue,
    Protocol,
):
    """Offer every capability; the paper venue does, in this process or in one of its own."""


_OFFERS = tuple(kind for kind in CompleteVenue.__bases__ if kind is not Protocol)
_Method = Callable[..., Any]


def misfits(venue: object) -> list[str]:
    """Return why the OMS could not call a venue: a line a method, empty when it can.

    A method that is not awaited as the protocol says would send the order first and fail then.
    """
    found = [] if hasattr(venue, "name") else ["name is missing"]
    offered = (kind for kind in _OFFERS if kind is BrokerProtocol or isinstance(venue, kind))
    for protocol in offered:
        for name, wanted in _methods(protocol):
            problem = _problem(name, wanted, getattr(venue, name, None))
            if problem is not None:
                found.append(problem)
    return found


def _methods(protocol: type) -> Iterator[tuple[str, _Method]]:
    for name, member in vars(protocol).items():
        if inspect.isfunction(member) and not name.startswith("_"):
            yield name, member


def _problem(name: str, wanted: _Method, found: Any) -> str | None:
    if not callable(found):
        return f"{name} is missing"
    if inspect.iscoroutinefunction(wanted) and not inspect.iscoroutinefunction(found):
        return f"{name} must be `async def`"
    if name == "stream_fills" and (
        inspect.iscoroutinefunction(found) or inspect.isgeneratorfunction(found)
    ):
        return f"{name} must be `async def` with `yield`"
    if not inspect.iscoroutinefunction(wanted) and inspect.iscoroutinefunction(found):
        return f"{name} must be a plain `def`"
    parameters = list(inspect.signature(wanted).parameters.values())[1:]
    plain = [None for one in parameters if one.kind is one.POSITIONAL_OR_KEYWORD]
    named = {one.name: None for one in parameters if one.kind is one.KEYWORD_ONLY}
    if takes(found, *plain, **named):
        return None
    return f"{name} must take ({', '.join(str(one).split(':')[0] for one in parameters)})"


def takes(function: _Method, *plain: object, **named: object) -> bool:
    """Tell whether a function can be called so; one that does not say is believed."""
    try:
        signature = inspect.signature(function)
    except ValueError:
        return True
    try:
        signature.bind(*plain, **named)
    except TypeError:
        return False
    return True
