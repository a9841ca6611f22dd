"""Where results go: looked at before a sweep runs, which may take hours."""

from __future__ import annotations

import os
from pathlib import Path

from mts1b_GPUbacktester.errors import BadSetting

__all__ = ["require_folder", "require_writable"]


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
        if not os.access(path if path.exists() else path.parent, os.W_OK):
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
