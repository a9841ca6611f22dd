"""The seventeen protected concepts: each is defined once, in its home; others call it there."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

__all__ = ["CONCEPTS", "Concept"]

_VERBS = r"(?:(?:compute|calc|calculate|get|make|annuali[sz]ed?|rolling|portfolio|daily|my)_)*"
_NOTHING = re.compile(r"(?!)")


def _named(words: str) -> re.Pattern[str]:
    """Match a snake-case name that is one of ``words``, whatever verbs stand before it."""
    return re.compile(rf"^_*{_VERBS}(?:{words})$")


@dataclass(frozen=True, kw_only=True)
class Concept:
    """One concept.

    :param name: what it is called in messages.
    :param homes: modules (with all below them) that may define it.
    :param definitions: names of functions and classes, in snake case, that would define it again.
    :param numeric: whether a value of such a name, worked out in place, defines it again too.
    :param uses: dotted names that only a home may touch (``*`` at the end: all below).
    :param imports: foreign packages that only a home may import.
    :param bases: base classes that only a home may derive from.
    :param texts: string literals that only a home may hold.
    """

    name: str
    homes: tuple[str, ...]
    definitions: re.Pattern[str] = _NOTHING
    numeric: bool = False
    uses: tuple[str, ...] = ()
    imports: frozenset[str] = frozenset()
    bases: frozenset[str] = frozenset()
    texts: re.Pattern[str] = field(default=_NOTHING)


CONCEPTS: tuple[Concept, ...] = (
    Concept(
        name="hierarchical risk parity",
        homes=("mts1b_quantkit",),
        definitions=_named(r"hrp(?:_\w+)?|hierarchical_risk_parity(?:_\w+)?|\w+_hrp"),
    ),
    Concept(
        name="Black-Litterman",
        homes=("mts1b_quantkit",),
        definitions=_named(r"black_litterman(?:_\w+)?|bl_(?:weights|posterior)"),
    ),
    Concept(
        name="walk-forward and purged cross-validation",
        homes=("mts1b_quantkit",),
        definitions=_named(
            r"walk_forward(?:_(?:splits?|folds?|cv|split(?:ter)?|windows?))?"
            r"|purged(?:_\w+)?|combinatorial_purged(?:_\w+)?|cpcv"
        ),
    ),
    Concept(
        name="Sharpe, Sortino, Calmar and maximum drawdown",
        homes=("mts1b_quantkit",),
        definitions=_named(
            r"(?:probabilistic_|deflated_|information_|ann(?:ual)?_)?(?:sharpe|sortino|calmar)"
            r"(?:_ratio|_value|_from_\w+)?(?:_ann(?:ual(?:i[sz]ed)?)?)?"
            r"|max_?drawdown|maximum_drawdown|max_?dd"
        ),
        numeric=True,
    ),
    Concept(
        name="Kelly and volatility targeting",
        homes=("mts1b_portfolio",),
        definitions=_named(
            r"(?:\w+_)?kelly(?:_\w+)?|vol(?:atility)?_target(?:_weights|_scale|_sizer|ing)?"
            r"|target_vol(?:atility)?(?:_\w+)?"
        ),
        numeric=True,
    ),
    Concept(
        name="Telegram and Slack dispatch",
        homes=("mts1b_platform.messaging",),
        definitions=re.compile(r"^_*(?:\w+_)?(?:telegram|slack|discord)(?:_\w+)?$"),
        imports=frozenset({"apprise", "slack_sdk", "telegram", "aiogram", "discord"}),
        texts=re.compile(r"api\.telegram\.org|hooks\.slack\.com|discord\.com/api/webhooks"),
    ),
    Concept(
        name="fee and slippage models",
        homes=("mts1b_quantkit.cost_models",),
        definitions=_named(
            r"(?:\w+_)?(?:fee|commission|slippage|impact|cost)_model"
            r"|(?:square_root|almgren|linear|market)_impact(?:_\w+)?|slippage_cost"
        ),
        numeric=True,
    ),
    Concept(
        name="calendars and holidays",
        homes=("mts1b_platform.calendars",),
        definitions=_named(
            r"(?:is_)?holidays?|(?:trading|market|exchange)_calendar|is_(?:trading|business)_day"
            r"|(?:trading|business)_days|(?:next|previous)_(?:session|trading_day)"
        ),
        imports=frozenset({"exchange_calendars", "pandas_market_calendars", "holidays"}),
    ),
    Concept(
        name="symbol normalisation",
        homes=("mts1b_platform.symbology",),
        definitions=_named(r"(?:normali[sz]e|canonicali[sz]e|clean)_(?:symbol|ticker)s?"),
    ),
    Concept(
        name="ADV and liquidity filters",
        homes=("mts1b_quantkit.universe_filters",),
        definitions=_named(
            r"(?:adv|liquidity|average_daily_volume)_filter|filter_(?:by_)?(?:adv|liquidity)"
            r"|(?:adv|average_daily_(?:dollar_)?volume)|liquid_universe"
        ),
        numeric=True,
    ),
    Concept(
        name="logging set-up",
        homes=("mts1b_platform.logging",),
        definitions=_named(r"(?:configure|setup|set_up|init)_logging|(?:json|redacting)_formatter"),
        uses=("logging.basicConfig", "logging.config.*", "structlog.configure"),
        imports=frozenset({"loguru"}),
    ),
    Concept(
        name="configuration from the environment",
        homes=("mts1b_platform.config",),
        uses=("os.environ.get", "os.environ[]", "os.getenv"),
        imports=frozenset({"pydantic_settings", "dotenv", "dynaconf"}),
        bases=frozenset({"BaseSettings"}),
    ),
    Concept(
        name="database connections",
        homes=("mts1b_platform.store",),
        uses=(
            "sqlalchemy.create_engine",
            "sqlalchemy.engine.create_engine",
            "sqlalchemy.create_async_engine",
            "sqlalchemy.ext.asyncio.create_async_engine",
            "sqlalchemy.ext.asyncio.engine.create_async_engine",
            "sqlalchemy.engine_from_config",
            "sqlalchemy.ext.asyncio.async_engine_from_config",
            "sqlite3.connect",
            "sqlite3.Connection",
            "sqlite3.dbapi2.*",
            "aiosqlite.connect",
            "asyncpg.*",
            "psycopg.*",
        ),
    ),
    Concept(
        name="retry",
        homes=("mts1b_platform.retry",),
        definitions=_named(r"(?:with_)?retry(?:_async|_call|ing)?|exponential_backoff"),
        imports=frozenset({"tenacity", "stamina", "backoff"}),
    ),
    Concept(
        name="rate limiters",
        homes=("mts1b_platform.ratelimit",),
        definitions=_named(r"(?:\w+_)?rate_limiter|(?:token|leaky)_bucket"),
        imports=frozenset({"aiolimiter", "limits", "pyrate_limiter", "slowapi"}),
    ),
    Concept(
        name="HTTP client factory",
        homes=("mts1b_platform.http",),
        definitions=_named(r"(?:build_|create_)?http_client(?:_factory)?"),
        uses=("urllib.request.urlopen", "http.client.*"),
        imports=frozenset({"httpx2", "httpx", "aiohttp", "requests", "urllib3"}),
    ),
    Concept(
        name="secrets redaction",
        homes=("mts1b_platform.security",),
        definitions=_named(
            r"redact(?:_\w+|ed|or|ion|ing_\w+)?|(?:mask|scrub|hide|sanitize)_(?:secrets?|tokens?)"
        ),
    ),
)
