"""Export the JSON Schema of every model: ``python -m mts1b_foundation.schema [NAME ...]``."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any

from pydantic.json_schema import models_json_schema

import mts1b_foundation
from mts1b_foundation import commands, nats, protocols, replay
from mts1b_foundation.model import FrozenModel

__all__ = ["all_models", "json_schema", "main"]


def all_models() -> dict[str, type[FrozenModel]]:
    """Return every public model of the package by its name."""
    found: dict[str, type[FrozenModel]] = {}
    for module in (mts1b_foundation, commands, replay, nats, protocols):
        for name in module.__all__:
            value = getattr(module, name)
            if isinstance(value, type) and issubclass(value, FrozenModel):
                found[name] = value
    found.pop("FrozenModel", None)
    return dict(sorted(found.items()))


def json_schema(names: Sequence[str] = ()) -> dict[str, Any]:
    """Return one JSON Schema document with a definition for each model.

    :param names: model names; empty for all.
    :raises LookupError: for a name that is no model.
    """
    models = all_models()
    unknown = [name for name in names if name not in models]
    if unknown:
        raise LookupError(f"no model {', '.join(unknown)}; known: {', '.join(models)}")
    chosen = [models[name] for name in names] if names else list(models.values())
    _, document = models_json_schema(
        [(model, "serialization") for model in chosen], title="MTS1B foundation"
    )
    return document


def main(argv: Sequence[str] | None = None) -> int:
    """Print the schema; return 2 when a name is unknown."""
    names = sys.argv[1:] if argv is None else argv
    try:
        document = json_schema(names)
    except LookupError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(json.dumps(document, indent=2, sort_keys=True))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
