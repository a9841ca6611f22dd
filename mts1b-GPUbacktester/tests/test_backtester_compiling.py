"""What is kept on disk of compiled kernels saves time; damage to it costs time and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

numba = pytest.importorskip("numba")

from mts1b_GPUbacktester.engines.compiling import compiled  # noqa: E402


def doubled(value: float) -> float:
    return value * 2.0


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(numba.core.config, "CACHE_DIR", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("size", [0, 20, 300])
@pytest.mark.parametrize("suffix", ["nbi", "nbc"])
def test_a_torn_file_of_the_cache_is_compiled_anew(suffix: str, size: int, kept: Path) -> None:
    assert compiled()(doubled)(1.5) == 3.0
    (torn,) = kept.rglob(f"*.{suffix}")
    torn.write_bytes(torn.read_bytes()[:size])
    assert compiled()(doubled)(1.5) == 3.0
    mended: Any = compiled()(doubled)
    assert mended(1.5) == 3.0
    assert sum(mended.stats.cache_hits.values()) == 1


def test_a_full_disk_keeps_nothing_and_computes(
    kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel: Any = compiled()(doubled)

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(type(kernel._cache._cache_file), "_save_data", full)
    assert kernel(1.5) == 3.0
