"""The pages of the documentation and their fenced blocks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
_OPEN = re.compile(r"^(?P<indent> *)(?P<ticks>`{3,})(?P<language>[\w+-]*)")


@dataclass(frozen=True)
class Fence:
    """One block: its language, the number of its first line of text, and its text."""

    language: str
    line: int
    text: str


@dataclass(frozen=True)
class Page:
    """One Markdown file."""

    path: Path

    @property
    def name(self) -> str:
        """Return the path from the root."""
        return self.path.relative_to(ROOT).as_posix()

    def fences(self, language: str) -> list[Fence]:
        """Return the blocks of one language, in order."""
        return [fence for fence in _fences(self.path) if fence.language == language]


def _fences(path: Path) -> Iterator[Fence]:
    lines = iter(enumerate(path.read_text(encoding="utf-8").splitlines(), start=1))
    for number, line in lines:
        opened = _OPEN.match(line)
        if opened is None:
            continue
        body: list[str] = []
        for _, inner in lines:
            if inner.strip() == opened["ticks"]:
                break
            body.append(inner.removeprefix(opened["indent"]))
        yield Fence(opened["language"], number + 1, "\n".join(body) + "\n")


def _pages() -> list[Page]:
    patterns = ("*.md", "mts1b-*/README.md", "docs/*.md", "docs/**/*.md", "changelog.d/README.md")
    return [Page(path) for path in sorted({p for one in patterns for p in ROOT.glob(one)})]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give each test that asks for a page every page, by its name."""
    if "page" in metafunc.fixturenames:
        pages = _pages()
        metafunc.parametrize("page", pages, ids=[page.name for page in pages])
