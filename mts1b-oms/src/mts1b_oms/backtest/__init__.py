"""The event-driven backtest: the live order path in memory."""

from mts1b_oms.backtest.engine import EventBacktest, WrongMode

__all__ = ["EventBacktest", "WrongMode"]
