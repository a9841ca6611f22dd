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
    SettingsError,
)

from mts1b_platform.errors import FixConfiguration
from mts1b_platform.security import SecretRegistry

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
    "described",
    "load_settings",
    "masked",
    "mts_home",
    "secret_values",
]


class ConfigError(FixConfiguration):
    """The settings are wrong; the message names where, which key and what is allowed.

    :param source: the file or the environment variable that holds the wrong value.
    :param key: the dotted key, or "" when the file as a whole is wrong.
    """

    code = "CONFIG"

    def __init__(self, source: str, key: str, message: str) -> None:
        super().__init__(": ".join(part for part in (source, key, message) if part))
        self.source = source
        self.key = key
        self.message = message


_PREFIX = "MTS_"


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
        extra="forbid", frozen=True, env_prefix=_PREFIX, env_nested_delimiter="__"
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
        reason = f"this is no valid YAML: {' '.join(str(error).split())}"
        raise ConfigError(str(path), "", reason) from error
    if data is None:
        return {}
    if not isinstance(data, dict):
        kind = type(data).__name__
        raise ConfigError(str(path), "", f"a mapping of settings is wanted, not a {kind}")
    return data


def _unknown_variables(environ: Mapping[str, str]) -> list[str]:
    heads = {name.upper() for name in Settings.model_fields}
    found = []
    for name in environ:
        if name.upper().startswith(_PREFIX) and "__" in name:
            head = name[len(_PREFIX) :].split("__", 1)[0].upper()
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
    for name in _unknown_variables(given):
        head = name[len(_PREFIX) :].partition("__")[0].lower()
        raise ConfigError(name, "", f"no such section; {_known(head, list(Settings.model_fields))}")
    values = _read(path)
    try:
        return _build(values, given)
    except SettingsError as error:
        raise ConfigError("environment", "", f"{error}; write it as JSON") from error
    except ValidationError as error:
        raise _explained(path, given, error) from error


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


def _explained(path: Path, environ: Mapping[str, str], error: ValidationError) -> ConfigError:
    first = error.errors()[0]
    location = first["loc"]
    key = ".".join(str(part) for part in location)
    variable = (_PREFIX + "__".join(str(part) for part in location)).upper()
    source = next((name for name in environ if name.upper() == variable), str(path))
    tail = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    if first["type"] == "extra_forbidden":
        hint = _known(str(location[-1]), _keys_beside(location))
        return ConfigError(source, key, f"unknown key; {hint}{tail}")
    message = first["msg"].removeprefix("Value error, ")
    if not location:
        return ConfigError(source, key, f"{message}{tail}")
    value = f"got {first['input']!r:.80}"
    return ConfigError(source, key, f"{message}, {value}{tail}; see `mts config schema`")


def _known(given: str, known: list[str]) -> str:
    near = difflib.get_close_matches(given, known, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"{hint}known here: {', '.join(sorted(known))}" if known else "remove it"


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


def _urls(settings: Settings) -> list[str]:
    return [url for url in (settings.bus.url, settings.store.url_template) if url]


def secret_values(settings: Settings) -> list[str]:
    """Return the secrets that the settings hold, for the registry of the logs."""
    secrets = []
    for url in _urls(settings):
        login, at, _ = url.partition("://")[2].rpartition("@")
        if at:
            secrets.append(login.partition(":")[2] or login)
    return secrets


def masked(settings: Settings) -> dict[str, Any]:
    """Return the settings as plain data; secrets are masked."""

    def mask(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: mask(item) for key, item in value.items()}
        if isinstance(value, list):
            return [mask(item) for item in value]
        return registry.redact(value) if isinstance(value, str) else value

    registry = SecretRegistry(secret_values(settings))
    data: dict[str, Any] = mask(settings.model_dump(mode="json"))
    return data


def described(kind: type[BaseModel] | None = None, prefix: str = "") -> list[str]:
    """Return one line for every setting: dotted key, type, default and meaning."""
    lines: list[str] = []
    for name, field in (kind or Settings).model_fields.items():
        key = f"{prefix}{name}"
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            lines += described(inner, f"{key}.")
            continue
        word = inner.__name__ if isinstance(inner, type) else str(inner).replace("typing.", "")
        given = field.get_default(call_default_factory=True)
        default = "required" if field.is_required() else f"default {given!r}"
        lines.append(f"{key}: {word}, {default}. {field.description or ''}".rstrip())
    return lines
