# SPDX-License-Identifier: Apache-2.0
"""Settings as frozen dataclasses: read strictly from YAML, changed by ``key.sub=value`` lines, written as read."""

from __future__ import annotations

import dataclasses
import difflib
import math
import types
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar

from smirk_core.errors import TrainingError

from .schedules import Ramp

__all__ = ["as_dict", "load_settings", "parse_settings", "read_tree", "to_yaml"]

T = TypeVar("T")


def as_dict(config: Any) -> Any:
    """Settings as dictionaries, lists, numbers and words."""
    if dataclasses.is_dataclass(config) and not isinstance(config, type | Ramp):
        return {f.name: as_dict(getattr(config, f.name)) for f in dataclasses.fields(config)}
    if isinstance(config, Ramp):
        return config.points[0][1] if len(config.points) == 1 else dict(config.points)
    if isinstance(config, Mapping):
        return {k: as_dict(v) for k, v in config.items()}
    return [as_dict(v) for v in config] if isinstance(config, tuple | list) else config


def to_yaml(settings: Any) -> str:
    """Settings as a file that :func:`load_settings` reads."""
    return _yaml().safe_dump(as_dict(settings), sort_keys=False)


def load_settings(kind: type[T], path: str | Path, overrides: Sequence[str] = ()) -> T:
    """Settings of a kind from a YAML file, changed by ``key.sub=value`` lines.

    Raises:
        TrainingError: the file is missing or no YAML, or a key or a value is not known; the line names it.
    """
    return parse_settings(kind, read_tree(path), overrides, source=str(path))


def read_tree(path: str | Path) -> dict[str, Any]:
    """What a YAML file of settings holds.

    Raises:
        TrainingError: it is missing, no YAML, or holds no settings.
    """
    yaml, path = _yaml(), Path(path)
    try:
        tree = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (OSError, UnicodeDecodeError) as error:
        raise TrainingError(f"Cannot read {path}: {getattr(error, 'strerror', None) or error}.") from error
    except yaml.YAMLError as error:
        raise TrainingError(f"{path} is not YAML: {' '.join(str(error).split())}.") from error
    if not isinstance(tree, dict):
        raise TrainingError(f"{path} holds no settings; expected sections such as 'data:' and 'model:'.")
    return tree


def parse_settings(
    kind: type[T], tree: Mapping[str, Any], overrides: Sequence[str] = (), source: str = "the settings"
) -> T:
    """Settings of a kind from dictionaries; see :func:`load_settings`."""
    settings: dict[str, Any] = _copied(tree)
    for line in overrides:
        key, sign, text = line.partition("=")
        if not sign:
            raise TrainingError(f"'{line}' is no setting; write key.sub=value, such as run.steps=1000.")
        value = _value(text, line)
        at, names = settings, key.split(".")
        for name in names[:-1]:
            at = at.setdefault(name, {})
            if not isinstance(at, dict):
                raise TrainingError(f"'{key}' lies below a single value.")
        at[names[-1]] = value
    return _build(kind, settings, "", source)


def _yaml() -> Any:
    try:
        import yaml
    except ImportError as error:
        raise TrainingError("Training needs PyYAML; install it with: pip install 'smirk-blender[train]'.") from error
    return yaml


def _copied(tree: Any) -> Any:
    return {k: _copied(v) for k, v in tree.items()} if isinstance(tree, Mapping) else tree


def _value(text: str, line: str) -> Any:
    try:
        return _yaml().safe_load(text) if text else ""
    except _yaml().YAMLError as error:
        raise TrainingError(f"'{line}': the value cannot be read.") from error


def _build(kind: type[T], tree: Any, at: str, source: str) -> T:
    """A dataclass from a dictionary, strictly."""
    if not isinstance(tree, Mapping):
        raise TrainingError(f"{source}: '{at or 'the file'}' must hold settings, not {tree!r}.")
    hints = typing.get_type_hints(kind)
    values = {}
    for key, value in tree.items():
        name = f"{at}.{key}" if at else str(key)
        if key not in hints:
            near = difflib.get_close_matches(str(key), hints, n=1)
            ask = f"; did you mean '{near[0]}'" if near else f"; there are {', '.join(hints)}"
            raise TrainingError(f"{source}: there is no setting '{name}'{ask}.")
        values[key] = _typed(hints[key], value, name, source)
    return kind(**values)


def _typed(kind: Any, value: Any, name: str, source: str) -> Any:
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        if kind is Ramp:
            try:
                return Ramp.of(value)
            except (TypeError, ValueError) as error:
                raise TrainingError(f"{source}: '{name}': {error}.") from error
        return _build(kind, value, name, source)
    origin, inside = typing.get_origin(kind), typing.get_args(kind)
    if origin is dict and isinstance(value, Mapping):
        return {
            str(k): v if inside[1] is Any else _typed(inside[1], v, f"{name}.{k}", source) for k, v in value.items()
        }
    if origin is tuple and isinstance(value, list | tuple):
        if inside[-1] is Ellipsis:
            return tuple(_typed(inside[0], v, name, source) for v in value)
        if len(value) == len(inside):
            return tuple(_typed(k, v, name, source) for k, v in zip(inside, value, strict=True))
    if origin is Literal and value in inside:
        return value
    if kind is bool and isinstance(value, bool):
        return value
    if kind is int and isinstance(value, int) and not isinstance(value, bool):
        return value
    if kind is str and isinstance(value, str | int | float) and not isinstance(value, bool):
        return str(value)
    if kind is float and isinstance(value, str | int | float) and not isinstance(value, bool):
        try:  # YAML 1.1 takes 1e-3 for a word
            number = float(value)
        except ValueError:
            number = math.nan
        if math.isfinite(number):
            return number
    expected = f"one of {', '.join(map(repr, inside))}" if origin is Literal else _words(kind)
    raise TrainingError(f"{source}: '{name}' is {value!r}; expected {expected}.")


def _words(kind: Any) -> str:
    if isinstance(kind, types.GenericAlias):
        return {"tuple": "a list", "dict": "names and values"}.get(typing.get_origin(kind).__name__, str(kind))
    return {"int": "a whole number", "float": "a number", "str": "a word", "bool": "true or false"}.get(
        getattr(kind, "__name__", ""), str(kind)
    )
