"""The settings of a running system: one documented schema, nothing unknown accepted."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import yaml
from mts1b_foundation.funds import FundConfig
from mts1b_foundation.model import Identifier, UtcDatetime
from mts1b_foundation.orders import ExecutionMode
from mts1b_foundation.risk import RiskEnvelope
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from mts1b_platform.errors import FixConfiguration

__all__ = [
    "ApiSettings",
    "BusSettings",
    "ConfigError",
    "FundSettings",
    "LogSettings",
    "OperatorSettings",
    "ReplaySettings",
    "RiskSettings",
    "ServiceSettings",
    "Settings",
    "StoreSettings",
    "StrategySettings",
    "VenueSettings",
    "WatchdogSettings",
    "load_settings",
    "masked",
    "mts_home",
]


class ConfigError(FixConfiguration):
    """The settings are wrong; the message names the file, the key and what is allowed."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class BusSettings(_Section):
    """How services talk."""

    kind: Literal["nats", "local"] = Field("nats", description="nats, or local within a process")
    url: str | None = Field(None, description="a running server; null: the one of this MTS_HOME")


class StoreSettings(_Section):
    """Where services keep their records."""

    url_template: str | None = Field(
        None,
        description="postgresql+asyncpg:// URL, {name} is the store; null: SQLite in MTS_HOME/db",
    )


class ReplaySettings(_Section):
    """A replay of recorded bars in lockstep."""

    enabled: bool = Field(False, description="replay instead of live data")
    dataset: str = Field("sample", description="dataset of the lake")
    symbols: list[str] = Field(default_factory=list, description="symbols; empty: all of them")
    interval: str = Field("1d", description="bar interval")
    start: UtcDatetime | None = Field(None, description="first bar end; null: the first there is")
    end: UtcDatetime | None = Field(None, description="last bar end; null: the last there is")
    progress_every: int = Field(10, ge=1, description="ticks between progress reports")


class VenueSettings(_Section):
    """The simulated venue."""

    fee_bps_per_side: Decimal = Field(Decimal(5), ge=0, description="fee, basis points a side")
    slippage_bps: Decimal = Field(Decimal(2), ge=0, description="slippage, basis points")
    latency_ms: int = Field(0, ge=0, description="delay before an order can match")
    max_participation: Decimal = Field(
        Decimal("0.1"), gt=0, le=1, description="share of a bar's volume that may fill"
    )
    initial_cash_usd: Decimal | None = Field(None, description="null: the sum of all funds' NAV")
    fill: Literal["next_open", "quote", "immediate"] = Field(
        "next_open", description="what an order fills against"
    )


class FundSettings(_Section):
    """One fund and its limits."""

    fund: FundConfig
    envelope: RiskEnvelope

    @model_validator(mode="after")
    def _same_fund(self) -> FundSettings:
        if self.envelope.fund_id != self.fund.fund_id:
            raise ValueError(
                f"the envelope is of fund {self.envelope.fund_id}, the fund is {self.fund.fund_id}"
            )
        return self


class StrategySettings(_Section):
    """One strategy of one fund."""

    strategy_id: Identifier
    fund_id: Identifier
    kind: Identifier = Field(description="a name of the entry-point group mts1b.strategies")
    symbols: list[str] = Field(min_length=1)
    params: dict[str, Any] = Field(default_factory=dict)
    enabled: bool = True
    interval: str = "1d"


class RiskSettings(_Section):
    """How approvals are made."""

    approval_ttl_s: float = Field(2.0, gt=0, description="how long an approval may be used")
    algorithm: Literal["ed25519", "hmac"] = Field("ed25519", description="signature algorithm")
    unavailable: Literal["deny", "wait"] = Field(
        "deny", description="what the OMS does when risk does not answer"
    )
    timeout_s: float = Field(2.0, gt=0, description="how long the OMS waits for risk")


class OperatorSettings(_Section):
    """The scripted operator of a replay."""

    script: bool = Field(False, description="resume halts by script")
    name: str = Field("scripted", pattern=r"^[A-Za-z0-9_.-]+$")
    resume_after_sessions: int = Field(21, ge=1)


class WatchdogSettings(_Section):
    """One watchdog."""

    enabled: bool = True
    threshold: float | None = None
    params: dict[str, float] = Field(default_factory=dict)


class ApiSettings(_Section):
    """The read-only HTTP API."""

    host: str = "127.0.0.1"
    port: int = Field(0, ge=0, le=65535, description="0: any free port")


class ServiceSettings(_Section):
    """What every service has."""

    health_port: int = Field(0, ge=0, le=65535, description="0: any free port")
    heartbeat_s: float = Field(5.0, gt=0)


class LogSettings(_Section):
    """How services log."""

    format: Literal["json", "console"] = "json"
    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"


class Settings(BaseSettings):
    """All settings. A file ``<MTS_HOME>/mts.yaml``, then ``MTS_SECTION__KEY`` on top."""

    model_config = SettingsConfigDict(
        extra="forbid", frozen=True, env_prefix="MTS_", env_nested_delimiter="__"
    )

    mode: ExecutionMode = ExecutionMode.PAPER
    bus: BusSettings = BusSettings()
    store: StoreSettings = StoreSettings()
    replay: ReplaySettings = ReplaySettings()
    venue: VenueSettings = VenueSettings()
    funds: list[FundSettings] = Field(default_factory=list)
    strategies: list[StrategySettings] = Field(default_factory=list)
    risk: RiskSettings = RiskSettings()
    operator: OperatorSettings = OperatorSettings()
    watchdogs: dict[str, WatchdogSettings] = Field(default_factory=dict)
    api: ApiSettings = ApiSettings()
    service: ServiceSettings = ServiceSettings()
    log: LogSettings = LogSettings()

    @model_validator(mode="after")
    def _references_exist(self) -> Settings:
        funds = {entry.fund.fund_id for entry in self.funds}
        if len(funds) != len(self.funds):
            raise ValueError("a fund is listed twice")
        ids = [entry.strategy_id for entry in self.strategies]
        if len(set(ids)) != len(ids):
            raise ValueError("a strategy is listed twice")
        for entry in self.strategies:
            if entry.fund_id not in funds:
                raise ValueError(
                    f"strategy {entry.strategy_id} belongs to fund {entry.fund_id}, "
                    f"which is not among {', '.join(sorted(funds)) or 'the funds (none)'}"
                )
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


def mts_home(environ: Mapping[str, str]) -> Path:
    """Return MTS_HOME, or ``~/.mts``."""
    return Path(environ.get("MTS_HOME") or Path.home() / ".mts").expanduser().resolve()


def _read(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    try:
        data = yaml.safe_load(path.read_text())
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from error
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise ConfigError(f"{path} must hold a mapping of settings, not a {type(data).__name__}")
    return data


def _unknown_variables(environ: Mapping[str, str]) -> list[str]:
    heads = {name.upper() for name in Settings.model_fields}
    found = []
    for name in environ:
        if name.upper().startswith("MTS_") and "__" in name:
            head = name[4:].split("__", 1)[0].upper()
            if head not in heads:
                found.append(name)
    return sorted(found)


def load_settings(home: Path, *, environ: Mapping[str, str] | None = None) -> Settings:
    """Read ``<home>/mts.yaml`` and the environment.

    :param environ: stands in for the process environment.
    :raises ConfigError: for the first wrong key, with what is allowed and how to mend it.
    """
    path = home / "mts.yaml"
    given = os.environ if environ is None else environ
    unknown = _unknown_variables(given)
    if unknown:
        raise ConfigError(
            f"environment variable {unknown[0]} names no section of the settings "
            f"(known: {', '.join(sorted(Settings.model_fields))}); unset or rename it"
        )
    try:
        return _build(_read(path), given)
    except ValidationError as error:
        raise ConfigError(_explain(path, error)) from error


def _build(values: dict[str, Any], environ: Mapping[str, str]) -> Settings:
    class Source(EnvSettingsSource):
        def _load_env_vars(self) -> Mapping[str, str | None]:
            return {name.lower(): value for name, value in environ.items()}

    class Loaded(Settings):
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,
            file_secret_settings: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            return Source(settings_cls), InitSettingsSource(settings_cls, values)

    loaded = Loaded()
    return Settings.model_construct(
        **{name: getattr(loaded, name) for name in Settings.model_fields}
    )


def _explain(path: Path, error: ValidationError) -> str:
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"]) or "(whole file)"
    more = error.error_count() - 1
    tail = f" (and {more} more)" if more else ""
    if first["type"] == "extra_forbidden":
        known = _keys_beside(first["loc"])
        near = difflib.get_close_matches(str(first["loc"][-1]), known, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        listed = f"known here: {', '.join(known)}" if known else "remove it"
        return f"{path}: unknown key {where}; {hint}{listed}{tail}"
    message = first["msg"].removeprefix("Value error, ")
    return f"{path}: {where}: {message}, got {first['input']!r:.80}{tail}; see `mts config schema`"


def _keys_beside(location: tuple[int | str, ...]) -> list[str]:
    """Return the keys that are known where an unknown one was found."""
    kind: Any = Settings
    for part in location[:-1]:
        if isinstance(part, int):
            continue
        fields = getattr(kind, "model_fields", {})
        if part not in fields:
            return []
        kind = fields[part].annotation
        for inner in getattr(kind, "__args__", ()):
            if hasattr(inner, "model_fields"):
                kind = inner
    return sorted(getattr(kind, "model_fields", {}))


def masked(settings: Settings) -> dict[str, Any]:
    """Return the settings as plain data; secrets stay masked."""
    data = settings.model_dump(mode="json")
    for section in ("bus", "store"):
        for key in ("url", "url_template"):
            if data[section].get(key):
                data[section][key] = _without_password(data[section][key])
    return data


def _without_password(url: str) -> str:
    scheme, mark, rest = url.partition("://")
    login, at, host = rest.rpartition("@")
    if not at:
        return url
    user = login.partition(":")[0]
    return f"{scheme}{mark}{user}:**********@{host}"
