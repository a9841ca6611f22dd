"""Build the venue that the settings name. The only place that reads the mode."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from mts1b_foundation import ExecutionMode
from mts1b_foundation.protocols import BrokerProtocol, CapabilityCard, SimulatedVenue
from mts1b_platform.plugins import PluginMissing, load_plugin, plugin_names

from mts1b_brokers.errors import BrokerConfigError, LiveTradingUnavailable, UnknownBroker
from mts1b_brokers.shape import misfits, takes

if TYPE_CHECKING:
    from mts1b_platform.clock import Clock
    from mts1b_platform.config import Settings
    from mts1b_platform.ids import Ids

__all__ = ["GROUP", "check_settings", "create_simulated", "create_venue", "known_brokers"]

GROUP = "mts1b.brokers"
"""The entry-point group of adapters: ``create(settings, *, home, clock, ids)``."""


_AT_START = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    ImportError,
    LookupError,
    NameError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
)
"""What an adapter's own code raises as a rule where something that it needs is not there."""


def known_brokers() -> tuple[str, ...]:
    """Return the names of the installed adapters, sorted."""
    return tuple(plugin_names(GROUP))


def create_venue(settings: Settings, *, home: Path, clock: Clock, ids: Ids) -> BrokerProtocol:
    """Return the venue of the funds' broker, as the mode allows it.

    :raises LiveTradingUnavailable: for the modes that need a real market, and when a paper mode
        names an adapter that is not a simulation.
    :raises UnknownBroker: when no adapter has the name.
    :raises PluginBroken: when two packages offer the name, or its package can not be imported.
    :raises BrokerConfigError: when the funds name more than one broker, or an account at one, the
        OMS could not call the adapter's venue, or ``venue.address`` is not an address of this
        machine.
    """
    name = _allowed_broker(settings)
    venue = create_simulated(name, settings, home=home, clock=clock, ids=ids)
    return venue if settings.venue.address is None else _remote(venue, settings.venue.address)


def check_settings(settings: Settings) -> list[str]:
    """Refuse settings with which :func:`create_venue` would create none; nothing is created.

    It is what this package adds to ``mts config check``; the lines are warnings of its.

    :raises LiveTradingUnavailable, UnknownBroker, PluginBroken, BrokerConfigError: as there.
    """
    _factory_of(_allowed_broker(settings))
    if settings.venue.address is not None:
        from mts1b_brokers.remote_client import address_of

        address_of(settings.venue.address)
    return list(_kept_from_their_broker(settings))


def _kept_from_their_broker(settings: Settings) -> Iterator[str]:
    """Tell of each fund that trades where its envelope lets nothing trade."""
    for index, entry in enumerate(settings.funds):
        broker, allowed = entry.fund.broker, entry.envelope.allowed_brokers
        if entry.fund.active and broker not in allowed:
            yield (
                f"funds.{index}.envelope.allowed_brokers is {', '.join(allowed) or 'empty'}, and "
                f"the fund trades at {broker}; risk denies every order until {broker} is in it"
            )


def _allowed_broker(settings: Settings) -> str:
    """Return the name of the funds' broker, where the mode allows any."""
    if settings.mode in (ExecutionMode.LIVE, ExecutionMode.SHADOW):
        raise LiveTradingUnavailable(
            f"mode {settings.mode.value} needs an adapter to a real market, and this version has "
            "none; set mode: paper"
        )
    _require_no_account(settings)
    return _broker_of(settings)


def _require_no_account(settings: Settings) -> None:
    """Refuse the account of a fund: every venue of these modes is a simulation and has none."""
    for index, entry in enumerate(settings.funds):
        if entry.fund.broker_account_id:
            raise BrokerConfigError(
                f"funds.{index}.fund.broker_account_id: a venue of mode {settings.mode.value} is "
                f"a simulation and has no account {entry.fund.broker_account_id!r}; leave it empty"
            )


def _remote(here: BrokerProtocol, address: str) -> BrokerProtocol:
    """Return the line to a venue process that behaves as the one that was built here would."""
    if not isinstance(here, CapabilityCard):
        raise BrokerConfigError(
            f"broker {here.name} has no card, so it can not run apart; unset venue.address"
        )
    from mts1b_brokers.remote_client import RemoteVenue

    return RemoteVenue(address, card=here.capabilities())


def create_simulated(
    name: str, settings: Settings, *, home: Path, clock: Clock, ids: Ids
) -> BrokerProtocol:
    """Return the venue of one adapter, which must be a simulation.

    :raises UnknownBroker: when no adapter has the name.
    :raises PluginBroken: when two packages offer the name, or its package can not be imported.
    :raises BrokerConfigError: when the OMS could not call the adapter's venue.
    :raises LiveTradingUnavailable: when the adapter is not a simulation.
    """
    venue = _create(name, settings, home=home, clock=clock, ids=ids)
    if not isinstance(venue, SimulatedVenue):
        raise LiveTradingUnavailable(
            f"broker {name} is not a simulation, so mode {settings.mode.value} may not use it; "
            "set broker: paper"
        )
    return venue


def _broker_of(settings: Settings) -> str:
    names = sorted({entry.fund.broker for entry in settings.funds}) or ["paper"]
    if len(names) > 1:
        raise BrokerConfigError(
            f"the funds name {len(names)} brokers ({', '.join(names)}), and one venue serves "
            "them all; give every fund the same broker"
        )
    return names[0]


def _factory_of(name: str) -> Callable[..., Any]:
    try:
        factory = load_plugin(GROUP, name)
    except PluginMissing:
        raise UnknownBroker(
            f"no broker adapter {name!r} is installed; known: {', '.join(known_brokers())}"
        ) from None
    if not callable(factory) or not takes(factory, None, home=None, clock=None, ids=None):
        raise BrokerConfigError(
            f"adapter {name}: its entry point must be a function (settings, *, home, clock, ids)"
        )
    return cast(Callable[..., Any], factory)


def _create(name: str, settings: Settings, *, home: Path, clock: Clock, ids: Ids) -> BrokerProtocol:
    factory = _factory_of(name)
    try:
        venue = factory(settings, home=home, clock=clock, ids=ids)
    except _AT_START as error:
        raise BrokerConfigError(
            f"adapter {name} could not be made: {type(error).__name__}: {error}"
        ) from error
    wrong = misfits(venue)
    if wrong or not isinstance(venue, BrokerProtocol):
        raise BrokerConfigError(
            f"adapter {name} ({type(venue).__name__}) does not satisfy BrokerProtocol: "
            f"{'; '.join(wrong)}; hold it to every duty with `mts plugin check broker`"
        )
    return venue
