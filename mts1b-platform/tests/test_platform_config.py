"""Settings: one schema; what is wrong is told with its place, and nothing unknown passes."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml
from mts1b_platform.config import (
    ConfigError,
    Settings,
    described,
    load_settings,
    masked,
    mts_home,
    secret_values,
)
from mts1b_platform.exit_codes import ExitCode

FUND: dict[str, Any] = {
    "fund": {"fund_id": "alpha", "name": "Alpha", "target_nav_usd": "1000000"},
    "envelope": {"envelope_id": "e1", "fund_id": "alpha", "nav_usd": "1000000"},
}
STRATEGY: dict[str, Any] = {
    "strategy_id": "trend",
    "fund_id": "alpha",
    "kind": "trend_following",
    "symbols": ["SPX"],
}


def load(home: Path, data: object = None, **environ: str) -> Settings:
    if data is not None:
        (home / "mts.yaml").write_text(data if isinstance(data, str) else yaml.safe_dump(data))
    return load_settings(home, environ=environ)


def failure(home: Path, data: object = None, **environ: str) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        load(home, data, **environ)
    return caught.value


def test_no_file_means_the_defaults_and_they_are_safe(tmp_path: Path) -> None:
    settings = load(tmp_path)
    assert settings.mode.value == "paper"
    assert settings.bus.kind == "nats"
    assert settings.risk.unavailable == "deny"
    assert settings.api.host == "127.0.0.1"
    assert not settings.operator.script


def test_a_file_is_read_and_the_environment_wins(tmp_path: Path) -> None:
    data = {"risk": {"approval_ttl_s": 1.5}, "venue": {"fee_bps_per_side": "2.5"}}
    settings = load(tmp_path, data, MTS_RISK__APPROVAL_TTL_S="0.5", MTS_BUS__KIND="local")
    assert settings.risk.approval_ttl_s == 0.5
    assert settings.bus.kind == "local"
    assert settings.venue.fee_bps_per_side == Decimal("2.5")


def test_the_process_environment_does_not_leak_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MTS_BUS__KIND", "local")
    assert load_settings(tmp_path, environ={}).bus.kind == "nats"
    assert load_settings(tmp_path).bus.kind == "local"


def test_funds_and_strategies_are_typed(tmp_path: Path) -> None:
    settings = load(tmp_path, {"funds": [FUND], "strategies": [STRATEGY]})
    assert settings.funds[0].fund.target_nav_usd == Decimal(1_000_000)
    assert settings.funds[0].envelope.max_position_pct == 0.05
    assert settings.strategies[0].symbols == ["SPX"]


@pytest.mark.parametrize(
    ("data", "key", "hint"),
    [
        ({"buss": {}}, "buss", "did you mean 'bus'"),
        ({"bus": {"kinf": "nats"}}, "bus.kinf", "did you mean 'kind'"),
        ({"funds": [FUND | {"limits": 1}]}, "funds.0.limits", "envelope, fund"),
        ({"watchdogs": {"vpin": {"treshold": 1}}}, "watchdogs.vpin.treshold", "'threshold'"),
        (
            {"funds": [FUND | {"fund": FUND["fund"] | {"nme": "x"}}]},
            "funds.0.fund.nme",
            "did you mean 'name'",
        ),
    ],
)
def test_an_unknown_key_is_named_with_the_nearest_one(
    tmp_path: Path, data: object, key: str, hint: str
) -> None:
    error = failure(tmp_path, data)
    assert error.key == key
    assert error.source == str(tmp_path / "mts.yaml")
    assert "unknown key" in str(error)
    assert hint in str(error)


@pytest.mark.parametrize(
    ("data", "key", "told"),
    [
        ({"bus": {"kind": "kafka"}}, "bus.kind", "'nats' or 'local', got 'kafka'"),
        ({"risk": {"approval_ttl_s": -1}}, "risk.approval_ttl_s", "greater than 0, got -1"),
        ({"api": {"port": 70000}}, "api.port", "less than or equal to 65535"),
        ({"venue": {"max_participation": "2"}}, "venue.max_participation", "got '2'"),
        ({"replay": {"start": "1999-01-04T00:00:00"}}, "replay.start", "aware"),
        ({"strategies": [STRATEGY | {"symbols": []}]}, "strategies.0.symbols", "at least 1"),
    ],
)
def test_a_wrong_value_is_told_with_what_is_allowed(
    tmp_path: Path, data: object, key: str, told: str
) -> None:
    error = failure(tmp_path, data)
    assert error.key == key
    assert told in str(error)


def test_a_wrong_variable_is_blamed_by_its_own_name(tmp_path: Path) -> None:
    error = failure(tmp_path, {"bus": {"kind": "nats"}}, MTS_BUS__KIND="kafka")
    assert (error.source, error.key) == ("MTS_BUS__KIND", "bus.kind")
    assert failure(tmp_path, None, MTS_BUSS__KIND="nats").source == "MTS_BUSS__KIND"
    assert "did you mean 'bus'" in str(failure(tmp_path, None, MTS_BUSS__KIND="nats"))
    assert failure(tmp_path, None, MTS_BUS__KINF="x").source == "MTS_BUS__KINF"
    assert "write it as JSON" in str(failure(tmp_path, None, MTS_FUNDS="[oops"))


def test_variables_that_are_no_settings_are_left_alone(tmp_path: Path) -> None:
    given = load(tmp_path, None, MTS_HOME="/x", MTS_NATS_URL="nats://h", MTS_TRACEBACK="1")
    assert given == load(tmp_path, None)


def test_references_must_hold(tmp_path: Path) -> None:
    assert "not among the funds (none)" in str(failure(tmp_path, {"strategies": [STRATEGY]}))
    assert "listed twice" in str(failure(tmp_path, {"funds": [FUND, FUND]}))
    other = FUND | {"envelope": FUND["envelope"] | {"fund_id": "beta"}}
    assert "envelope is of fund beta" in str(failure(tmp_path, {"funds": [other]}))


def test_the_number_of_further_errors_is_told(tmp_path: Path) -> None:
    assert "(and 1 more)" in str(failure(tmp_path, {"bus": {"kinf": 1, "knid": 2}}))


@pytest.mark.parametrize("text", ["a: [", "- a\n- b\n", "just text", "\tbus: x"])
def test_a_file_that_is_no_mapping_is_told(tmp_path: Path, text: str) -> None:
    error = failure(tmp_path, text)
    assert error.source.endswith("mts.yaml")
    assert error.key == ""
    assert error.exit_code is ExitCode.CONFIGURATION


def test_an_empty_file_is_no_error(tmp_path: Path) -> None:
    assert load(tmp_path, "# nothing yet\n") == load(tmp_path, "")


def test_yaml_can_not_build_objects(tmp_path: Path) -> None:
    failure(tmp_path, "bus: !!python/object/apply:os.getcwd []")


def test_passwords_are_never_shown(tmp_path: Path) -> None:
    settings = load(
        tmp_path,
        {
            "bus": {"url": "nats://s3cret-token@host:4222"},
            "store": {"url_template": "postgresql+asyncpg://mts:hunter2-x@db/{name}"},
        },
    )
    shown = str(masked(settings))
    assert "s3cret-token" not in shown
    assert "hunter2-x" not in shown
    assert "postgresql+asyncpg://mts:" in shown
    assert sorted(secret_values(settings)) == ["hunter2-x", "s3cret-token"]


def test_what_is_shown_can_be_read_again(tmp_path: Path) -> None:
    settings = load(tmp_path, {"funds": [FUND], "strategies": [STRATEGY]})
    assert load(tmp_path, masked(settings)) == settings


def test_every_setting_of_this_package_is_described() -> None:
    lines = described()
    keys = [line.partition(" ")[0] for line in lines]
    assert "risk.approval_ttl_s" in keys
    assert "funds[].envelope.max_position_pct" in keys
    assert "watchdogs.NAME.threshold" in keys
    own = [line for line in lines if ".fund." not in line and ".envelope." not in line]
    assert [line for line in own if line.endswith(")")] == []


def test_settings_do_not_change_once_read(tmp_path: Path) -> None:
    settings = load(tmp_path)
    with pytest.raises(ValueError, match="frozen"):
        settings.bus.kind = "local"


@pytest.mark.parametrize("value", [float("inf"), 301.0, 0.0, float("nan")])
def test_an_approval_lives_for_minutes_at_most(tmp_path: Path, value: float) -> None:
    with pytest.raises(ConfigError, match="approval_ttl_s"):
        load(tmp_path, {"risk": {"approval_ttl_s": value}})


def test_home_is_named_or_the_usual_one(tmp_path: Path) -> None:
    assert mts_home({"MTS_HOME": str(tmp_path)}) == tmp_path
    assert mts_home({}) == Path.home() / ".mts"
    assert mts_home({"MTS_HOME": "~/x"}) == Path.home() / "x"
