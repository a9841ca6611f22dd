"""Several sweeps from one file, their results in one folder."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import yaml

from mts1b_GPUbacktester.errors import BadSetting
from mts1b_GPUbacktester.panels import panel_from
from mts1b_GPUbacktester.results import SweepResult
from mts1b_GPUbacktester.specification import filter_of, numbers_of, rule_of
from mts1b_GPUbacktester.sweep import run_sweep

__all__ = ["read_batch", "run_batch"]

_RULE = ("long_when", "short_when", "enter", "leave", "stop", "trailing_stop", "time_exit")
_SETTINGS = (
    "fill", "fees_bps", "slippage_bps", "borrow_bps", "direction", "size", "engine", "metrics",
    "periods_per_year", "memory_budget", "top", "by",
)  # fmt: skip
_OWN = ("name", "panel", "grid", "where")


def read_batch(path: Path) -> list[dict[str, Any]]:
    """Return the sweeps of a YAML, TOML or JSON file, defaults at its top filled in.

    :raises BadSetting: for a file that can not be read, unknown words, or a name given twice.
    """
    data = _read(path)
    sweeps = data.pop("sweeps", None)
    if not isinstance(sweeps, list) or not sweeps:
        raise BadSetting(f"{path} has no list 'sweeps'; each needs name, grid and a rule")
    found = [{**data, **item} for item in sweeps]
    names = [item.get("name") for item in found]
    for item in found:
        strangers = sorted(set(item) - {*_RULE, *_SETTINGS, *_OWN})
        if strangers:
            raise BadSetting(
                f"{path}: {', '.join(strangers)} is not known; use {', '.join(_OWN)}, "
                f"{', '.join(_RULE)}, {', '.join(_SETTINGS)}"
            )
        if not str(item.get("name", "")).replace("-", "_").isidentifier():
            raise BadSetting(f"{path}: name {item.get('name')!r} must be a word; it names files")
        if "panel" not in item or not isinstance(item.get("grid"), dict):
            raise BadSetting(f"{path}: sweep {item['name']} needs panel: and grid:")
    if len(set(names)) != len(names):
        raise BadSetting(f"{path} uses a name twice; names are {', '.join(map(str, names))}")
    return found


def _read(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise BadSetting(f"{path} can not be read: {error.strerror}") from None
    suffix = path.suffix.lower()
    try:
        if suffix == ".toml":
            data = tomllib.loads(text)
        elif suffix == ".json":
            data = json.loads(text)
        elif suffix in (".yaml", ".yml"):
            data = yaml.safe_load(text)
        else:
            raise BadSetting(f"{path} must end in .yaml, .toml or .json")
    except (ValueError, yaml.YAMLError) as error:
        raise BadSetting(f"{path} can not be read: {str(error).splitlines()[0]}") from None
    if not isinstance(data, dict):
        raise BadSetting(f"{path} must hold names and values, with a list 'sweeps'")
    return data


def run_batch(config: Path, output: Path) -> list[SweepResult]:
    """Run every sweep of a file.

    For each: ``<name>.parquet`` the table, ``<name>.sets.parquet`` the mean of each set,
    ``<name>.html`` the report. ``summary.json`` has the best of all. Panels are paths relative to
    the file.

    :raises BadPanel, BadRule, BadSetting, EngineMissing: saying what, and what to change.
    """
    sweeps = read_batch(config)
    output.mkdir(parents=True, exist_ok=True)
    results, summary = [], {}
    for item in sweeps:
        result = _run(item, config.parent)
        name = item["name"]
        result.to_parquet(output / f"{name}.parquet")
        result.by_set.write_parquet(output / f"{name}.sets.parquet")
        if "sharpe" in result.source.metrics:
            result.report(output / f"{name}.html")
        summary[name] = {
            "n_trials": result.n_trials,
            "engine": result.engine.name,
            "reason": result.engine.reason,
            "seconds": result.timings["run"],
            "best": result.best_params(by=item.get("by", result.source.metrics[0])),
        }
        results.append(result)
    (output / "summary.json").write_text(json.dumps(summary, indent=2, default=str) + "\n")
    return results


def _run(item: dict[str, Any], folder: Path) -> SweepResult:
    panel = panel_from(folder / item["panel"])
    grid = {
        name: numbers_of(values) if isinstance(values, str) else _listed(values)
        for name, values in item["grid"].items()
    }
    settings = {name: item[name] for name in _SETTINGS if name in item}
    rule = rule_of(**{name: item[name] for name in _RULE if name in item})
    return run_sweep(panel, rule, grid=grid, where=filter_of(item.get("where")), **settings)


def _listed(values: Any) -> list[Any]:
    return list(values) if isinstance(values, (list, tuple)) else [values]
