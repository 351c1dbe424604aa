# SPDX-License-Identifier: Apache-2.0
"""``blender_manifest.toml`` of one zip, from the one in the sources."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable
from typing import Any

from .core_wheel import core_version
from .targets import ROOT, BlenderTarget

__all__ = ["SOURCE_MANIFEST", "make_manifest", "source_manifest"]

SOURCE_MANIFEST = ROOT / "blender_smirk" / "blender_manifest.toml"


def source_manifest() -> dict[str, Any]:
    """The manifest in the sources.

    Raises:
        ValueError: its version is not the engine's.
    """
    manifest = tomllib.loads(SOURCE_MANIFEST.read_text(encoding="utf-8"))
    if manifest["version"] != core_version():
        raise ValueError(f"{SOURCE_MANIFEST.name} says version {manifest['version']}, smirk_core {core_version()}.")
    return manifest


def make_manifest(target: BlenderTarget, platform: str | None, wheels: Iterable[str]) -> bytes:
    """The manifest of one zip.

    Args:
        platform: Blender's name of it; ``None``: any.
        wheels: file names in the folder ``wheels``.
    """
    manifest = source_manifest()
    manifest["blender_version_min"] = target.minimum
    if target.maximum:
        manifest["blender_version_max"] = target.maximum
    if platform is not None:
        manifest["platforms"] = [platform]
    manifest["wheels"] = [f"./wheels/{name}" for name in sorted(wheels)]
    return _toml(manifest).encode("utf-8")


def _toml(values: dict[str, Any]) -> str:
    """TOML of strings, lists of strings and one level of tables, which is all that a manifest has."""
    plain = [f"{k} = {_value(v)}" for k, v in values.items() if not isinstance(v, dict)]
    tables = [
        "\n".join([f"\n[{name}]", *(f"{k} = {_value(v)}" for k, v in table.items())])
        for name, table in values.items()
        if isinstance(table, dict)
    ]
    return "\n".join(["# SPDX-License-Identifier: GPL-3.0-or-later", *plain, *tables]) + "\n"


def _value(value: Any) -> str:
    if isinstance(value, list):
        return "[\n" + "".join(f"  {_value(item)},\n" for item in value) + "]"
    if not isinstance(value, str):
        raise TypeError(f"a manifest has strings and lists of strings, not {value!r}")
    return json.dumps(value, ensure_ascii=False)  # TOML's basic strings are written as JSON's
