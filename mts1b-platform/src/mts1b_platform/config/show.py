"""Show settings to people: described, and with secrets masked."""

from __future__ import annotations

import json
from typing import Any

from mts1b_platform.config.settings import Settings
from mts1b_platform.security import SecretRegistry

__all__ = ["described", "masked", "secret_values"]


def _urls(settings: Settings) -> list[str]:
    return [url for url in (settings.bus.url, settings.store.url_template) if url]


def secret_values(settings: Settings) -> list[str]:
    """Return the secrets that the settings hold, for the registry of the logs."""
    secrets = []
    for url in _urls(settings):
        login, at, _ = url.partition("://")[2].rpartition("@")
        if at:
            secrets.append(login.partition(":")[2] or login)
    return secrets


def masked(settings: Settings) -> dict[str, Any]:
    """Return the settings as plain data; secrets are masked."""

    def mask(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: mask(item) for key, item in value.items()}
        if isinstance(value, list):
            return [mask(item) for item in value]
        return registry.redact(value) if isinstance(value, str) else value

    registry = SecretRegistry(secret_values(settings))
    data: dict[str, Any] = mask(settings.model_dump(mode="json"))
    return data


def described() -> list[str]:
    """Return one line for every setting: dotted key, type, default and meaning."""
    schema = Settings.model_json_schema()
    return _lines(schema, schema.get("$defs", {}), "")


Schema = dict[str, Any]


def _lines(schema: Schema, shapes: dict[str, Schema], prefix: str) -> list[str]:
    lines: list[str] = []
    for name, field in schema.get("properties", {}).items():
        key = f"{prefix}{name}"
        inner, mark = _inside(field, shapes)
        if inner is not None:
            lines += _lines(inner, shapes, f"{key}{mark}.")
            continue
        default = _default(field, required=name in schema.get("required", ()))
        meaning = field.get("description", "")
        lines.append(f"{key} ({_word(field, shapes)}, {default}) {meaning}".rstrip())
    return lines


def _default(field: Schema, *, required: bool) -> str:
    if required:
        return "required"
    return f"default {json.dumps(field['default'])}" if "default" in field else "optional"


def _resolved(field: Schema, shapes: dict[str, Schema]) -> Schema:
    name = str(field.get("$ref", "")).rpartition("/")[2]
    return shapes.get(name, field)


def _inside(field: Schema, shapes: dict[str, Schema]) -> tuple[Schema | None, str]:
    """Return the section that a field holds, and how its key goes on."""
    candidates = (
        (field, ""),
        (field.get("items"), "[]"),
        (field.get("additionalProperties"), ".NAME"),
    )
    for candidate, mark in candidates:
        if isinstance(candidate, dict):
            found = _resolved(candidate, shapes)
            if "properties" in found:
                return found, mark
    return None, ""


def _word(field: Schema, shapes: dict[str, Schema]) -> str:
    found = _resolved(field, shapes)
    if "anyOf" in found:
        return " or ".join(dict.fromkeys(_word(item, shapes) for item in found["anyOf"]))
    if "enum" in found:
        return "|".join(str(value) for value in found["enum"])
    if "const" in found:
        return str(found["const"])
    if found.get("type") == "array":
        return f"list of {_word(found.get('items', {}), shapes)}"
    return str(found.get("format") or found.get("type") or "anything")
