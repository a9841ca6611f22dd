"""The watchdog settings of a system: what the file says, and what the strategies imply."""

from __future__ import annotations

from mts1b_platform.config import ConfigError, Settings, WatchdogSettings

from mts1b_operations.watchdogs.portfolio_vol_dd import PortfolioVolDd
from mts1b_operations.watchdogs.runner import WATCHDOGS

__all__ = ["PARAMETERS", "check_settings", "watchdog_settings"]

_TARGET = "target_ann_vol"
_COUNT, _WINDOW, _VOLATILITY = (1, 1_000_000_000), (2, 100_000), (0.001, 10.0)

PARAMETERS: dict[str, dict[str, tuple[float, float]]] = {
    "predictive_health": {"horizon": _WINDOW, "history": _WINDOW},
    "position_anomaly": {"history": _WINDOW},
    "strategy_watchdog": {"window": _WINDOW, "history": _WINDOW},
    "portfolio_vol_dd": {"window": _WINDOW, "target": _VOLATILITY},
    "db_watchdog": {"backlog": _COUNT},
}
"""What each watchdog reads beside its threshold and ``calm``: the least and the most."""


def watchdog_settings(settings: Settings) -> dict[str, WatchdogSettings]:
    """Return settings by watchdog.

    A fund's volatility target is the largest of its strategies', unless the file names one.
    """
    given = dict(settings.watchdogs)
    name = PortfolioVolDd.name
    own = given.get(name, WatchdogSettings())
    targets: dict[str, float] = {}
    for strategy in settings.strategies:
        target = strategy.params.get(_TARGET)
        if isinstance(target, int | float) and strategy.enabled:
            key = f"target.{strategy.fund_id}"
            targets[key] = max(targets.get(key, 0.0), float(target))
    given[name] = own.model_copy(update={"params": {**targets, **own.params}})
    return given


def check_settings(settings: Settings) -> None:
    """Refuse watchdogs that there are not, and parameters that they do not read.

    It is what this package adds to ``mts config check``.

    :raises ConfigError: with the key and what there is.
    """
    for name, given in settings.watchdogs.items():
        if name not in WATCHDOGS:
            known = ", ".join(WATCHDOGS)
            raise ConfigError("", f"watchdogs.{name}", f"no such watchdog; there are {known}")
        known_params = {"calm": _COUNT, **PARAMETERS.get(name, {})}
        for key, value in given.params.items():
            word = "target" if name == PortfolioVolDd.name and _is_target(key) else key
            least, most = known_params.get(word, (None, None))
            place = f"watchdogs.{name}.params.{key}"
            if least is None or most is None:
                raise ConfigError("", place, f"{name} reads {', '.join(known_params)}")
            if not least <= value <= most:
                raise ConfigError("", place, f"{value} is not from {least:g} to {most:g}")


def _is_target(key: str) -> bool:
    """Return whether a parameter is the volatility target of one fund."""
    return key.startswith("target.")
