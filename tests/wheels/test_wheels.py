"""Every package's wheel installs alone, with plain pip, beside nothing but what it declares.

pip resolves each of them; unpacking is left to uv, which links what it unpacked before, but for
one package that pip installs to the end.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tools.contracts.layers import LAYERS, Row

ROOT = Path(__file__).resolve().parents[2]
PROBE = Path(__file__).with_name("probe.py")
LOCKED = re.compile(r"^([A-Za-z0-9._-]+==[^\s;\\]+(?: ;[^\\]+)?) *\\?$", re.MULTILINE)
BY_PIP = "mts1b-oms"
"""Installed by pip alone: it stands on most of the others."""
ALL = pytest.mark.parametrize("row", LAYERS, ids=[row.distribution for row in LAYERS])


@dataclass(frozen=True)
class Shelf:
    """Our wheels, and those of everything that they need."""

    ours: Path
    theirs: Path
    cache: Path

    def wheel(self, row: Row) -> Path:
        """Return the one wheel of a package."""
        (path,) = self.ours.glob(f"{row.import_name.lower()}-*.whl")
        return path


def _run(*command: str | Path, cwd: Path | None = None) -> str:
    done = subprocess.run([str(part) for part in command], cwd=cwd, capture_output=True, text=True)
    shown = " ".join(str(part) for part in command)
    assert done.returncode == 0, f"{shown}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def _uv() -> Path:
    return Path(sys.executable).with_name("uv")


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    """Build all wheels; fetch the locked releases of their dependencies, once."""
    folder = tmp_path_factory.mktemp("shelf")
    ours, theirs = folder / "ours", folder / "theirs"
    _run(_uv(), "build", "-q", "--all-packages", "--wheel", "--out-dir", ours, cwd=ROOT)
    locked = folder / "constraints.txt"
    locked.write_text("\n".join(LOCKED.findall((ROOT / "requirements.lock").read_text())) + "\n")
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "-q")
    wanted = sorted(ours.glob("*.whl"))
    _run(*pip, "-d", theirs, "-c", locked, "--find-links", ours, "--only-binary", ":all:", *wanted)
    return Shelf(ours, theirs, folder / "cache")


@pytest.fixture
def clean_python(tmp_path: Path) -> Iterator[Path]:
    """Return the python of an empty environment, which is removed at the end."""
    folder = tmp_path / "venv"
    _run(sys.executable, "-m", "venv", "--without-pip", folder)
    yield folder / "bin" / "python"
    shutil.rmtree(folder)


@ALL
def test_a_wheel_installs_alone(shelf: Shelf, clean_python: Path, row: Row) -> None:
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", clean_python)
    places = ("--no-index", "--find-links", shelf.ours, "--find-links", shelf.theirs)
    whole = row.distribution == BY_PIP
    _run(
        *pip,
        "install",
        "-q",
        *(("--no-compile",) if whole else ("--dry-run",)),
        *places,
        row.distribution,
    )
    if not whole:
        cache = ("--cache-dir", shelf.cache, "--link-mode", "hardlink")
        _run(
            _uv(),
            "pip",
            "install",
            "-q",
            "--python",
            clean_python,
            *cache,
            *places,
            row.distribution,
        )
    installed = set(_run(clean_python, "-B", PROBE, row.import_name, row.distribution).split())
    lower = {other.import_name for other in LAYERS if other.layer < row.layer}
    assert row.import_name in installed
    assert installed - lower == {row.import_name}


@ALL
def test_a_wheel_holds_its_types_and_its_licence_and_no_tests(shelf: Shelf, row: Row) -> None:
    names = zipfile.ZipFile(shelf.wheel(row)).namelist()
    assert f"{row.import_name}/py.typed" in names
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)
    tops = {name.partition("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {row.import_name}


@ALL
def test_a_package_carries_the_licence_of_the_workspace(row: Row) -> None:
    assert (ROOT / row.distribution / "LICENSE").read_text() == (ROOT / "LICENSE").read_text()


def test_the_version_bounds_of_all_packages_agree() -> None:
    _run(_uv(), "pip", "check", "--python", sys.executable)


def test_the_lock_names_no_host_and_no_package_of_the_workspace() -> None:
    text = (ROOT / "requirements.lock").read_text()
    assert "://" not in text
    assert "mts1b" not in text
    assert text.count("==") <= text.count("--hash=sha256:")
