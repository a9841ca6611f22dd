"""Instruments of the settings: what the books would count wrongly is refused where it stands."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml
from mts1b_foundation import AssetClass, Currency
from mts1b_platform.config import ConfigError, Settings, load_settings, masked

ACME: dict[str, Any] = {"symbol": "ACME", "asset_class": "equities", "sector": "tools"}


def load(home: Path, *instruments: Any) -> Settings:
    (home / "mts.yaml").write_text(yaml.safe_dump({"instruments": list(instruments)}))
    return load_settings(home, environ={})


def test_an_instrument_is_read_with_its_defaults_and_shown(tmp_path: Path) -> None:
    settings = load(tmp_path, ACME, {"symbol": "BTC-USD", "asset_class": "crypto"})
    acme, coin = settings.instruments
    assert (acme.sector, acme.country, acme.lot_size) == ("tools", "US", Decimal(1))
    assert (coin.asset_class, coin.currency) == (AssetClass.CRYPTO, Currency.USD)
    shown = masked(settings)["instruments"]
    assert shown[0]["tick_size"] == "0.01"
    assert load(tmp_path, *shown) == settings


@pytest.mark.parametrize(
    ("entry", "key", "told"),
    [
        ({"multiplier": "50"}, "multiplier", "contracts with a multiplier can not be traded yet"),
        ({"currency": "EUR"}, "currency", "priced in EUR, and positions, cash, NAV"),
        ({"symbol": "EUR-GBP", "asset_class": "fx"}, "symbol", "priced in GBP"),
        ({"symbol": "ES@202612", "asset_class": "futures"}, "multiplier", "so say it"),
        ({"symbol": "AAPL:20261218:C:250", "asset_class": "options"}, "multiplier", "so say it"),
        ({"session": "XNSY"}, "session", "no exchange calendar 'XNSY' for ACME; did you mean"),
        ({"session": ""}, "session", "use an ISO 10383 code like XNYS"),
        ({"sector": " "}, "sector", "leave the key out"),
        ({"lot_size": "0"}, "lot_size", "greater than 0"),
        ({"lot_size": "NaN"}, "lot_size", "finite"),
        ({"tick_size": "-1"}, "tick_size", "greater than 0"),
        ({"minimum_notional": "inf"}, "minimum_notional", "finite"),
        ({"asset_class": "bricks"}, "asset_class", "'equities'"),
        ({"symbol": "acme"}, "symbol", "is not a symbol"),
        ({"lotsize": 1}, "lotsize", "did you mean 'lot_size'"),
    ],
)
def test_what_would_be_counted_wrongly_is_refused(
    tmp_path: Path, entry: dict[str, Any], key: str, told: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, ACME | entry)
    assert caught.value.key == f"instruments.0.{key}"
    assert told in str(caught.value)


def test_a_symbol_is_listed_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="ACME is listed twice") as caught:
        load(tmp_path, ACME, ACME | {"sector": "toys"})
    assert caught.value.key == "instruments.1.symbol"


def test_a_calendar_that_exists_is_taken(tmp_path: Path) -> None:
    assert load(tmp_path, ACME | {"session": "XLON"}).instruments[0].session == "XLON"


def test_settings_made_in_a_program_are_held_to_the_same() -> None:
    with pytest.raises(ValueError, match="multiplier"):
        Settings(instruments=[ACME | {"multiplier": "50"}])  # type: ignore[list-item]
