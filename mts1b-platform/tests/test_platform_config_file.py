"""A settings file that says a thing twice, or can not be read, is refused with its place."""

from __future__ import annotations

from pathlib import Path

import pytest
from mts1b_platform.config import ConfigError, load_settings

TWICE = """\
limits:
  firm_max_gross_usd: 1000
risk:
  approval_ttl_s: 1.5
limits:
  children_within_parent: true
"""
INNER = """\
risk:
  approval_ttl_s: 0.5
  approval_ttl_s: 30
"""
ONCE_EACH = """\
risk:
  approval_ttl_s: 0.5
venue:
  fee_bps_per_side: 1
"""
ODD = """\
? [risk, venue]
: 1
"""


@pytest.mark.parametrize(
    ("text", "key", "line"), [(TWICE, "limits", 5), (INNER, "approval_ttl_s", 3)]
)
def test_a_key_that_stands_twice_is_no_setting(
    tmp_path: Path, text: str, key: str, line: int
) -> None:
    (tmp_path / "mts.yaml").write_text(text)
    with pytest.raises(ConfigError, match=f"{key!r} stands twice") as caught:
        load_settings(tmp_path, environ={})
    assert f"line {line}" in str(caught.value)


def test_other_files_are_read_as_before(tmp_path: Path) -> None:
    (tmp_path / "mts.yaml").write_text(ONCE_EACH)
    assert load_settings(tmp_path, environ={}).risk.approval_ttl_s == 0.5
    (tmp_path / "mts.yaml").write_text(ODD)
    with pytest.raises(ConfigError, match="valid YAML"):
        load_settings(tmp_path, environ={})


def test_a_file_that_can_not_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "mts.yaml").mkdir()
    with pytest.raises(ConfigError, match="can not be read"):
        load_settings(tmp_path, environ={})
