"""Structured logs: JSON or console lines, with correlation ids, without secrets."""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, TextIO, cast

import structlog
from structlog.contextvars import bind_contextvars, clear_contextvars, merge_contextvars

from mts1b_platform.config import LogSettings
from mts1b_platform.security import SecretRegistry

__all__ = ["bind_contextvars", "clear_contextvars", "configure_logging", "get_logger"]

Event = MutableMapping[str, Any]


class _StandardError:
    """Whatever standard error is at the time of a line: it may be replaced meanwhile."""

    def write(self, text: str) -> int:
        return sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()


def configure_logging(
    settings: LogSettings,
    secrets: SecretRegistry | None = None,
    stream: TextIO | None = None,
) -> None:
    """Set up the logs of this process, once.

    :param secrets: values that never reach a line.
    :param stream: where lines go; standard error by default.
    """
    registry = secrets or SecretRegistry()

    def redact(_logger: object, _name: str, event: Event) -> Event:
        return dict(registry.redact_data(dict(event)))

    console = settings.format == "console"
    last: Any = (
        structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
        if console
        else structlog.processors.JSONRenderer(sort_keys=True)
    )
    structlog.configure(
        processors=[
            merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            redact,
            last,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping()[settings.level]
        ),
        logger_factory=structlog.WriteLoggerFactory(file=stream or cast(TextIO, _StandardError())),
        cache_logger_on_first_use=False,
    )


def get_logger(name: str) -> Any:
    """Return the logger of a service or part.

    A process that set up no logs, such as a command, gets warnings on standard error alone.
    """
    if not structlog.is_configured():
        configure_logging(LogSettings(format="console", level="WARNING"))
    return structlog.get_logger().bind(logger=name)
