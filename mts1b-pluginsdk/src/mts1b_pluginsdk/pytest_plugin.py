"""The pytest plugin: ``pytest --mts-broker package.module:Factory`` runs every card as a test.

Without the option it does nothing. It imports pytest nowhere, so that the package needs none.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

__all__ = ["pytest_addoption", "pytest_configure", "pytest_generate_tests"]

_SUITE = Path(__file__).with_name("suite.py")
_ARGUMENT = "mts_card"


def pytest_addoption(parser: Any) -> None:
    """Add the options."""
    group = parser.getgroup("mts", "conformance of MTS1B plugins")
    group.addoption(
        "--mts-broker",
        metavar="PACKAGE.MODULE:NAME",
        help="run the conformance cards against the broker or sandbox that this makes",
    )
    group.addoption(
        "--mts-sandbox",
        metavar="PACKAGE.MODULE:NAME",
        help="try it in this sandbox: --mts-broker is called with a client of each new account",
    )
    group.addoption(
        "--mts-symbol",
        default="AAPL",
        metavar="SYMBOL",
        help="an instrument that the venue trades (default: AAPL)",
    )
    group.addoption(
        "--mts-run-id",
        default="check",
        metavar="TEXT",
        help="begins every idempotency key (default: check)",
    )
    group.addoption(
        "--mts-patience",
        type=float,
        default=1.0,
        metavar="SECONDS",
        help="wait so long for a fill of a venue that fills by itself (default: 1)",
    )


def pytest_configure(config: Any) -> None:
    """Add the suite to what is collected; where no path was named, collect it alone."""
    if not (config.getoption("--mts-broker") or config.getoption("--mts-sandbox")):
        return
    if config.args_source is not type(config.args_source).ARGS:
        config.args[:] = []
    config.args.append(str(_SUITE))


def pytest_generate_tests(metafunc: Any) -> None:
    """Give the suite's test every card, with the broker that was named."""
    if _ARGUMENT not in metafunc.fixturenames:
        return
    from mts1b_pluginsdk.conformance import BROKER_CARDS, BenchSettings
    from mts1b_pluginsdk.errors import FactoryUnusable
    from mts1b_pluginsdk.factory import load_factory, within
    from mts1b_pluginsdk.suite import BoundCard

    option = metafunc.config.getoption
    factory, sandbox = option("--mts-broker"), option("--mts-sandbox")
    if not factory:
        raise FactoryUnusable("--mts-sandbox says where to try a broker; name it: --mts-broker")
    settings = BenchSettings(
        symbol=option("--mts-symbol"),
        run_id=option("--mts-run-id"),
        patience_s=option("--mts-patience"),
    )
    connect = load_factory(factory)
    if sandbox:
        connect = within(load_factory(sandbox), connect)
    bound = [BoundCard(card, connect, settings) for card in BROKER_CARDS]
    metafunc.parametrize(_ARGUMENT, bound, ids=[str(card) for card in BROKER_CARDS])
