"""Where results go: looked at before a sweep runs, which may take hours, and written whole."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from mts1b_GPUbacktester.errors import BadSetting, NotWritten

__all__ = ["require_folder", "require_writable", "write_whole"]


def require_writable(*paths: Path | None) -> None:
    """Refuse a file that can not be written; None is no file.

    :raises BadSetting: where its folder is missing or closed, or it is a folder itself.
    """
    for path in paths:
        if path is None:
            continue
        if path.is_dir():
            raise BadSetting(f"{path} is a folder; name a file in it")
        if not path.parent.is_dir():
            raise BadSetting(f"{path} can not be written: there is no folder {path.parent}")
        closed = path.exists() and not os.access(path, os.W_OK)
        if closed or not os.access(path.parent, os.W_OK):
            raise BadSetting(f"{path} can not be written: no permission")


def require_folder(folder: Path) -> None:
    """Make a folder where there is none.

    :raises BadSetting: where that can not be done, or nothing can be written there.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadSetting(f"{folder} can not be a folder for results: {error.strerror}") from None
    if not os.access(folder, os.W_OK):
        raise BadSetting(f"{folder} can not be a folder for results: no permission")


def write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Let ``write`` fill a file that is there whole or, where that fails, as it was before.

    :raises BadSetting: where nothing can be written there.
    :raises NotWritten: where it failed all the same, saying why.
    """
    import polars as pl

    require_writable(path)
    unfinished = path.with_name(path.name + ".unfinished")
    try:
        write(unfinished)
        unfinished.replace(path)
    except (OSError, pl.exceptions.PolarsError) as error:
        unfinished.unlink(missing_ok=True)
        raise NotWritten(
            f"{path} can not be written: {error}; make room and run again; a sweep with out= goes "
            "on where it stopped"
        ) from None
