"""Read the settings of one MTS_HOME, and say exactly what is wrong with them."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args, get_origin

import yaml
from pydantic import ValidationError
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsError,
)

from mts1b_platform.config.misfit import Misfit
from mts1b_platform.config.misread import misread
from mts1b_platform.config.settings import PREFIX, Settings
from mts1b_platform.errors import FixConfiguration

__all__ = ["ConfigError", "load_settings", "mts_home"]


class ConfigError(FixConfiguration):
    """The settings are wrong; the message names where, which key and what is allowed.

    :param source: the file or the environment variable that holds the wrong value.
    :param key: the dotted key, or "" when the file as a whole is wrong.
    """

    code = "CONFIG"

    def __init__(self, source: str, key: str, message: str) -> None:
        super().__init__(": ".join(part for part in (source, key, message) if part))
        self.source = source
        self.key = key
        self.message = message


def mts_home(environ: Mapping[str, str]) -> Path:
    """Return MTS_HOME, or ``~/.mts``."""
    return Path(environ.get("MTS_HOME") or Path.home() / ".mts").expanduser().resolve()


class _Loader(yaml.SafeLoader):
    """Refuse a key that stands twice in one mapping: one of both limits would be dropped."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            if key.value in seen:
                problem = f"the key {key.value!r} stands twice"
                raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep=deep)


def _read(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    try:
        data = yaml.load(path.read_text(), Loader=_Loader)
    except OSError as error:
        raise ConfigError(str(path), "", f"it can not be read: {error}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        reason = f"this is no valid YAML: {' '.join(str(error).split())}"
        raise ConfigError(str(path), "", reason) from error
    if data is None:
        return {}
    if not isinstance(data, dict):
        kind = type(data).__name__
        raise ConfigError(str(path), "", f"a mapping of settings is wanted, not a {kind}")
    return data


def _unknown_variables(environ: Mapping[str, str]) -> list[str]:
    heads = {name.upper() for name in Settings.model_fields}
    found = []
    for name in environ:
        if name.upper().startswith(PREFIX) and "__" in name:
            head = name[len(PREFIX) :].split("__", 1)[0].upper()
            if head not in heads:
                found.append(name)
    return sorted(found)


def load_settings(home: Path, *, environ: Mapping[str, str] | None = None) -> Settings:
    """Read ``<home>/mts.yaml`` and the environment.

    :param environ: stands in for the process environment.
    :raises ConfigError: for the first wrong key, with what is allowed and how to mend it.
    """
    path = home / "mts.yaml"
    given = os.environ if environ is None else environ
    for name in _unknown_variables(given):
        head = name[len(PREFIX) :].partition("__")[0].lower()
        raise ConfigError(name, "", f"no such section; {_known(head, list(Settings.model_fields))}")
    values = _read(path)
    _require_as_written(values, path, {})
    try:
        return _build(values, path, given)
    except SettingsError as error:
        raise ConfigError("environment", "", f"{error}; write it as JSON") from error
    except ValidationError as error:
        raise _explained(path, given, error) from error


def _require_as_written(values: Mapping[str, Any], path: Path, environ: Mapping[str, str]) -> None:
    """Refuse what would be read as something that nobody wrote.

    :raises ConfigError: with the file or the variable, the key and what is wanted.
    """
    for place, wanted, found in misread(dict(values), Settings):
        parts = [str(part) for part in place]
        source = _source_of(parts, path, environ)
        raise ConfigError(source, ".".join(parts), f"{wanted} is wanted, got {found!r}")


def _source_of(parts: list[str], path: Path, environ: Mapping[str, str]) -> str:
    """Return the variable that gives a setting, or the section that it is in; else the file."""
    wanted = (PREFIX + "__".join(parts)).upper()
    told = (name for name in environ if f"{wanted}__".startswith(f"{name.upper()}__"))
    return max(told, key=len, default=str(path))


def _build(values: dict[str, Any], path: Path, environ: Mapping[str, str]) -> Settings:
    class Environment(EnvSettingsSource):
        def __call__(self) -> dict[str, Any]:
            found = super().__call__()
            _require_as_written(found, path, environ)
            return found

        def _load_env_vars(self) -> Mapping[str, str | None]:
            return {name.lower(): value for name, value in environ.items()}

    class Loaded(Settings):
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,
            file_secret_settings: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            return Environment(settings_cls), InitSettingsSource(settings_cls, values)

    loaded = Loaded()
    return Settings.model_construct(
        **{name: getattr(loaded, name) for name in Settings.model_fields}
    )


def _explained(path: Path, environ: Mapping[str, str], error: ValidationError) -> ConfigError:
    first = error.errors()[0]
    location = first["loc"]
    cause = first.get("ctx", {}).get("error")
    below = cause.key.split(".") if isinstance(cause, Misfit) and cause.key else []
    path_of = [*(str(part) for part in location), *below]
    key = ".".join(path_of)
    source = _source_of(path_of, path, environ)
    tail = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    if first["type"] == "extra_forbidden":
        hint = _known(str(location[-1]), _keys_beside(location))
        return ConfigError(source, key, f"unknown key; {hint}{tail}")
    if isinstance(cause, Misfit):
        return ConfigError(source, key, f"{cause.reason}{tail}")
    message = first["msg"].removeprefix("Value error, ")
    if not location:
        return ConfigError(source, key, f"{message}{tail}")
    value = f"got {first['input']!r:.80}"
    return ConfigError(source, key, f"{message}, {value}{tail}; see `mts config schema`")


def _known(given: str, known: list[str]) -> str:
    near = difflib.get_close_matches(given, known, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"{hint}known here: {', '.join(sorted(known))}" if known else "remove it"


def _keys_beside(location: tuple[int | str, ...]) -> list[str]:
    """Return the keys that are known where an unknown one was found."""
    kind: Any = Settings
    named = False  # the next part is a free name, not a key
    for part in location[:-1]:
        if isinstance(part, int) or named:
            named = False
            continue
        fields = getattr(kind, "model_fields", {})
        if part not in fields:
            return []
        kind = fields[part].annotation
        named = get_origin(kind) is dict
        kind = next((arg for arg in get_args(kind) if hasattr(arg, "model_fields")), kind)
    return sorted(getattr(kind, "model_fields", {}))
