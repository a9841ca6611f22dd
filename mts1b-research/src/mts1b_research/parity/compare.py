"""Run one strategy on one tape through every engine and through the system, and compare."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

from mts1b_foundation.market_data import UniversePanel
from mts1b_GPUbacktester import BadSetting, EngineMissing, Tolerance
from mts1b_GPUbacktester.desk import DeskTerms
from mts1b_GPUbacktester.engines import EngineName, choose_engine
from mts1b_platform.config import StrategySettings
from mts1b_platform.plugins import PluginMissing

from mts1b_research.errors import NotComparable
from mts1b_research.parity.comparison import DEFAULT_POLICY, Comparison, compare_records
from mts1b_research.parity.record import Record
from mts1b_research.parity.simulated import simulate
from mts1b_research.parity.subject import Account, accounts_of, comparable_panel
from mts1b_research.parity.system import run_events, run_memory
from mts1b_research.strategy import Strategy

__all__ = ["Parity", "compare"]

_ENGINES = ("numpy", "numba", "cuda")


@dataclass(frozen=True, slots=True)
class Parity:
    """All comparisons with the reference, and what could not take part, with the reason."""

    panel: UniversePanel
    records: tuple[Record, ...]
    comparisons: tuple[Comparison, ...]
    absent: Mapping[str, str]

    @property
    def holds(self) -> bool:
        """Return whether every comparison does; none at all does not."""
        return bool(self.comparisons) and all(found.holds for found in self.comparisons)


def compare(
    panel: Any,
    strategy: Strategy | StrategySettings,
    *,
    terms: DeskTerms | None = None,
    venue_terms: DeskTerms | None = None,
    last: int | None = None,
    engines: Sequence[str] = _ENGINES,
    paper: bool = False,
    policy: Mapping[str, Tolerance] = DEFAULT_POLICY,
) -> Parity:
    """Compare numpy, numba, cuda where it can run, the event-driven backtests and paper trading.

    The first engine is the reference that each other side is compared with, bar by bar.

    :param panel: as for ``run_sweep``, without gaps; ``last`` keeps its latest bars.
    :param strategy: a rule, a factor or any strategy of the runner, or the settings of one.
    :param terms: cash of each account, fees and slippage, for all sides.
    :param venue_terms: other terms for the trading sides, to see what a wrong assumption does.
    :param paper: also trade it on paper over NATS, in a folder of its own; only for settings.
    :raises NotComparable, BadPanel, BadSetting: when there is nothing to compare.
    """
    used = terms if terms is not None else DeskTerms()
    traded = venue_terms if venue_terms is not None else used
    accounts = accounts_of(strategy)
    bars = comparable_panel(panel, _symbols(accounts), last=last)
    records, absent = _simulated(bars, accounts, used, engines)
    try:
        records.append(run_memory(bars, accounts_of(strategy), traded))
    except PluginMissing as error:
        absent["memory"] = str(error)
    records.append(run_events(bars, accounts_of(strategy), traded))
    if paper:
        from mts1b_research.parity.paper import run_paper

        records.append(run_paper(bars, accounts, traded))
    reference, *others = records
    found = tuple(compare_records(reference, other, policy=policy) for other in others)
    return Parity(bars, tuple(records), found, absent)


def _symbols(accounts: Sequence[Account]) -> list[str]:
    return list(dict.fromkeys(str(s) for one in accounts for s in one.strategy.symbols))


def _simulated(
    panel: UniversePanel, accounts: Sequence[Account], terms: DeskTerms, engines: Sequence[str]
) -> tuple[list[Record], dict[str, str]]:
    """Return the records of the engines that can run, and why the others can not."""
    records: list[Record] = []
    absent: dict[str, str] = {}
    for name in engines:
        engine = cast(EngineName, name)
        try:
            choose_engine(engine, panel.shape[0] * panel.shape[1])
        except (EngineMissing, BadSetting) as error:
            absent[name] = str(error)
            continue
        records.append(replace(simulate(panel, accounts, terms, engine), side=name))
    if not records:
        raise NotComparable(f"no engine can run: {'; '.join(absent.values()) or 'none is named'}")
    return records, absent
