"""The page of settings is what the settings say of themselves."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.settings import PAGE, render
from tools.settings import page as of_settings
from tools.settings.__main__ import main


def test_the_page_is_what_the_settings_say(workspace: Path) -> None:
    said = (workspace / PAGE).read_text(encoding="utf-8")
    assert said == render(), "run: python -m tools.settings --write"


def test_a_setting_without_a_meaning_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = ['log.colour (string, default "red")']
    monkeypatch.setattr(of_settings, "described", lambda: lines)
    assert main([]) == 1
    assert "log.colour has no meaning" in capsys.readouterr().err


def test_a_meaning_of_no_setting_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(of_settings, "described", list)
    assert main([]) == 1
    assert "explains no setting: funds[].fund.fund_id" in capsys.readouterr().err
