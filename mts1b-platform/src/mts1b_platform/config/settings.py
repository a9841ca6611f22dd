"""The settings: one documented schema, nothing unknown accepted."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Literal

from mts1b_foundation.funds import FundConfig
from mts1b_foundation.limits import Mandate, RiskLimits
from mts1b_foundation.model import Identifier, UtcDatetime
from mts1b_foundation.orders import ExecutionMode
from mts1b_foundation.risk import RiskEnvelope
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from mts1b_platform.config.instruments import ListedInstrument
from mts1b_platform.config.misfit import Misfit
from mts1b_platform.config.relations import check_relations
from mts1b_platform.config.words import (
    MOST_USD,
    BusUrl,
    HostName,
    Interval,
    Seconds,
    StoreUrl,
)

__all__ = [
    "PREFIX",
    "ApiSettings",
    "BusSettings",
    "FundSettings",
    "HaltSettings",
    "LogSettings",
    "OperatorSettings",
    "ReplaySettings",
    "RiskSettings",
    "ServiceSettings",
    "Settings",
    "SignalSourceSettings",
    "StoreSettings",
    "StrategySettings",
    "VenueSettings",
    "WatchdogSettings",
]

PREFIX = "MTS_"


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class BusSettings(_Section):
    """How services talk."""

    kind: Literal["nats", "local"] = Field("nats", description="nats, or local within a process")
    url: BusUrl | None = Field(None, description="a running server; null: the one of this MTS_HOME")


class StoreSettings(_Section):
    """Where services keep their records."""

    url_template: StoreUrl | None = Field(
        None,
        description="postgresql+asyncpg:// URL, {name} is the store; null: SQLite in MTS_HOME/db",
    )
    keep_days: int | None = Field(
        90,
        ge=2,
        le=36_500,
        description="days of running of which published events, and the ids of read ones, are "
        "kept; older ones do not fill a lost stream again; null: for ever",
    )


class ReplaySettings(_Section):
    """A replay of recorded bars in lockstep."""

    enabled: bool = Field(False, description="replay instead of live data")
    dataset: str = Field(
        "sample", pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$", description="dataset of the lake"
    )
    symbols: list[str] = Field(default_factory=list, description="symbols; empty: all of them")
    interval: Interval = Field("1d", description="bar interval")
    start: UtcDatetime | None = Field(None, description="first bar end; null: the first there is")
    end: UtcDatetime | None = Field(None, description="last bar end; null: the last there is")
    progress_every: int = Field(10, ge=1, description="ticks between progress reports")


class VenueSettings(_Section):
    """The simulated venue."""

    profile: Literal["none", "open_orders", "ten_minutes", "permanent", "strict"] = Field(
        "permanent",
        description="how long it remembers keys, or strict: all that makes a venue hard; "
        "see `mts mts1b-brokers profiles`",
    )
    fee_bps_per_side: Decimal = Field(
        Decimal(5), ge=0, le=10_000, description="fee, basis points a side"
    )
    slippage_bps: Decimal = Field(Decimal(2), ge=0, lt=10_000, description="slippage, basis points")
    latency_ms: int = Field(0, ge=0, le=86_400_000, description="delay before an order can match")
    max_participation: Decimal = Field(
        Decimal("0.1"), gt=0, le=1, description="share of a bar's volume that may fill"
    )
    initial_cash_usd: Decimal | None = Field(
        None, gt=0, le=MOST_USD, description="null: the sum of all funds' NAV"
    )
    borrow_fee_bps: Decimal | None = Field(
        Decimal(25),
        ge=0,
        le=1_000_000,
        description="yearly fee at which it lends shares for short sales, basis points; risk "
        "judges it, and no account is charged; null: it lends none",
    )
    fill: Literal["next_open", "quote", "immediate"] = Field(
        "next_open", description="what an order fills against"
    )
    dead_man_s: Seconds | None = Field(
        None,
        description="the venue cancels everything unless the OMS renews it; null: the OMS asks "
        "for no such timer",
    )
    address: str | None = Field(
        None,
        description="HOST:PORT of `python -m mts1b_brokers.remote`; null: a part of the OMS",
    )


class FundSettings(_Section):
    """One fund and its limits."""

    fund: FundConfig = Field(description="the fund")
    envelope: RiskEnvelope = Field(description="its limits; a change needs a higher version")

    @model_validator(mode="after")
    def _same_fund(self) -> FundSettings:
        if self.envelope.fund_id != self.fund.fund_id:
            raise Misfit(
                "envelope.fund_id",
                f"the envelope is of fund {self.envelope.fund_id}, the fund is {self.fund.fund_id}",
            )
        return self


class StrategySettings(_Section):
    """One strategy of one fund."""

    strategy_id: Identifier = Field(description="name of this strategy, unique")
    fund_id: Identifier = Field(description="the fund that it trades for")
    kind: Identifier = Field(description="a name of the entry-point group mts1b.strategies")
    symbols: list[str] = Field(min_length=1, description="what it may trade, priced in USD")
    params: dict[str, Any] = Field(default_factory=dict, description="of its kind")
    enabled: bool = Field(True, description="false: it makes no orders")
    interval: Interval = Field("1d", description="bar interval that it reads")


class OrderSettings(_Section):
    """How orders are taken."""

    max_in_progress: int = Field(
        256, ge=1, description="new orders on their way at once; more are refused for now"
    )


class RiskSettings(_Section):
    """How approvals are made."""

    approval_ttl_s: float = Field(2.0, gt=0, le=300, description="how long an approval may be used")
    algorithm: Literal["ed25519", "hmac"] = Field("ed25519", description="signature algorithm")
    unavailable: Literal["deny", "wait"] = Field(
        "deny", description="what the OMS does when risk does not answer"
    )
    timeout_s: Seconds = Field(2.0, description="how long the OMS waits for risk")


class HaltSettings(_Section):
    """How senders are kept in check. A replay needs no lease: its clock is not the machine's."""

    lease: Literal["required", "off"] = Field(
        "required", description="whether an order may leave without a lease from operations"
    )
    renew_s: float = Field(
        0.5, ge=0.01, le=1.5, description="seconds between renewals of the lease"
    )


class OperatorSettings(_Section):
    """The scripted operator of a replay."""

    script: bool = Field(False, description="resume halts by script")
    name: str = Field(
        "scripted", pattern=r"^[A-Za-z0-9_.-]+$", description="signs as operator:NAME"
    )
    resume_after_sessions: int = Field(21, ge=1, description="sessions that a halt lasts")


class WatchdogSettings(_Section):
    """One watchdog."""

    enabled: bool = Field(True, description="false: it does not watch")
    threshold: float | None = Field(
        None, ge=0, allow_inf_nan=False, description="null: its own default"
    )
    params: dict[str, FiniteFloat] = Field(default_factory=dict, description="of its kind")


class SignalSourceSettings(_Section):
    """Who may send signals from outside, and for which strategy."""

    source: str = Field(
        pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$",
        description="its name, in the path and of its secret: `mts cmd signal-key NAME`",
    )
    strategy_id: Identifier = Field(description="the strategy of kind webhook that trades them")
    max_age_s: float = Field(60.0, gt=0, le=3600, description="how old a signal may be, seconds")


class ApiSettings(_Section):
    """The HTTP API: read-only, but for the signals of the sources that are listed."""

    host: HostName = Field("127.0.0.1", description="address to listen on")
    port: int = Field(0, ge=0, le=65535, description="0: any free port")
    names: list[str] = Field(
        default_factory=list,
        description="host names it is called by besides its address, as behind a proxy",
    )
    signals: list[SignalSourceSettings] = Field(
        default_factory=list, description="who may send signals; empty: nobody"
    )


class ServiceSettings(_Section):
    """What every service has."""

    health_port: int = Field(0, ge=0, le=65535, description="0: any free port")
    heartbeat_s: Seconds = Field(5.0, ge=0.01, description="seconds between heartbeats")


class LogSettings(_Section):
    """How services log."""

    format: Literal["json", "console"] = Field("json", description="json for programs")
    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="the least that is written"
    )


class Settings(BaseSettings):
    """All settings. A file ``<MTS_HOME>/mts.yaml``, then ``MTS_SECTION__KEY`` on top."""

    model_config = SettingsConfigDict(
        extra="forbid", frozen=True, env_prefix=PREFIX, env_nested_delimiter="__"
    )

    mode: ExecutionMode = Field(
        ExecutionMode.PAPER, description="read in one place: where the venue is made"
    )
    bus: BusSettings = BusSettings()
    store: StoreSettings = StoreSettings()
    replay: ReplaySettings = ReplaySettings()
    venue: VenueSettings = VenueSettings()
    instruments: list[ListedInstrument] = Field(
        default_factory=list,
        description="what is known of instruments beyond their names",
    )
    funds: list[FundSettings] = Field(default_factory=list)
    strategies: list[StrategySettings] = Field(default_factory=list)
    orders: OrderSettings = OrderSettings()
    risk: RiskSettings = RiskSettings()
    halt: HaltSettings = HaltSettings()
    limits: RiskLimits = Field(RiskLimits(), description="pre-trade limits; what is null is off")
    mandates: list[Mandate] = Field(
        default_factory=list,
        description="who may trade what; empty: each strategy may trade its symbols",
    )
    operator: OperatorSettings = OperatorSettings()
    watchdogs: dict[str, WatchdogSettings] = Field(default_factory=dict)
    api: ApiSettings = ApiSettings()
    service: ServiceSettings = ServiceSettings()
    log: LogSettings = LogSettings()

    @model_validator(mode="after")
    def _parts_fit(self) -> Settings:
        check_relations(self)
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Let the environment win over the file, which arrives as arguments."""
        return env_settings, init_settings
