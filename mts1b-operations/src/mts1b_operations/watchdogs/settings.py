"""The watchdog settings of a system: what the file says, and what the strategies imply."""

from __future__ import annotations

from mts1b_platform.config import Settings, WatchdogSettings

from mts1b_operations.watchdogs.portfolio_vol_dd import PortfolioVolDd

__all__ = ["watchdog_settings"]

_TARGET = "target_ann_vol"


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
