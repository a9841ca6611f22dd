"""Write a new plugin's package from templates: whole, or not at all."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path, PurePosixPath

from jinja2 import Environment, PackageLoader, StrictUndefined

from mts1b_pluginsdk.errors import TargetInTheWay
from mts1b_pluginsdk.names import PluginName

__all__ = ["PluginKind", "Scaffold", "create_plugin"]

_SUFFIX = ".j2"


class PluginKind(StrEnum):
    """Name what can be created; the value is the folder of its templates."""

    BROKER = "broker"


@dataclass(frozen=True, slots=True)
class Scaffold:
    """A package that was written: its folder, and its files relative to it."""

    kind: PluginKind
    name: PluginName
    folder: Path
    files: tuple[str, ...]


def create_plugin(kind: PluginKind, name: str, *, out: Path) -> Scaffold:
    """Write the package of a new plugin into ``out / NAME``.

    It is written beside its place and moved there when it is complete.

    :raises NameRefused: when the name can not be a plugin's.
    :raises TargetInTheWay: when the folder exists and is not empty, or can not be written.
    """
    plugin = PluginName.parse(name)
    folder = out / plugin.distribution
    texts = _render(kind, plugin)
    try:
        _require_free(folder)
        _write(texts, folder)
    except OSError as error:
        reason = error.strerror or str(error)
        raise TargetInTheWay(
            f"can not write {folder}: {reason}; name another folder with --out"
        ) from error
    return Scaffold(kind, plugin, folder, tuple(sorted(texts)))


def _require_free(folder: Path) -> None:
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise TargetInTheWay(f"{folder} is in the way; move it, or name another folder with --out")
    if folder.is_dir() and any(folder.iterdir()):
        raise TargetInTheWay(
            f"folder {folder} exists and is not empty; move it, or name another with --out"
        )


def _render(kind: PluginKind, name: PluginName) -> dict[str, str]:
    """Return the text of every file, by its path in the package."""
    environment = Environment(
        loader=PackageLoader("mts1b_pluginsdk", "templates"),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        autoescape=False,  # Python and TOML, not HTML; the name is checked
    )
    prefix, last = f"{kind.value}/", kind.value.capitalize()
    words = {"name": name, "client": name.camel.removesuffix(last) + last}
    return {
        _place(found.removeprefix(prefix), name): environment.get_template(found).render(words)
        for found in environment.list_templates()
        if found.startswith(prefix) and found.endswith(_SUFFIX)
    }


def _place(template: str, name: PluginName) -> str:
    path = PurePosixPath(template.removesuffix(_SUFFIX))
    parts = [name.module if part == "MODULE" else part for part in path.parts]
    return "/".join(part.replace("dot-", ".", 1) if "dot-" in part[:4] else part for part in parts)


def _write(texts: dict[str, str], folder: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    workshop = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        package = workshop / folder.name
        for path, text in texts.items():
            target = package / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")
        package.rename(folder)
    finally:
        shutil.rmtree(workshop)
