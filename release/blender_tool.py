# SPDX-License-Identifier: Apache-2.0
"""Blender's own extension tool, which comes with the ``bpy`` wheel and runs in any Python."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

__all__ = ["BlenderToolError", "find_tool", "generate_repository", "validate"]

_INSIDE = "*/scripts/addons_core/bl_pkg/cli/blender_ext.py"


class BlenderToolError(RuntimeError):
    """The tool is not there, or refuses what it was given."""


def find_tool(given: Path | None = None) -> Path:
    """``blender_ext.py``: as given, else from the ``bpy`` of this Python, without importing it.

    Args:
        given: the file, or a folder above it such as Blender's.
    """
    if given is not None and given.is_file():
        return given
    folders = [given] if given is not None else []
    spec = None if folders else importlib.util.find_spec("bpy")
    if spec is not None and spec.origin is not None:
        folders.append(Path(spec.origin).parent)
    found = [path for folder in folders for path in sorted(folder.glob(_INSIDE))]
    if not found:
        raise BlenderToolError("Blender's extension tool is missing: pip install bpy, or name Blender with --tool.")
    return found[-1]


def validate(archive: Path, tool: Path) -> None:
    """Have Blender check a zip.

    Raises:
        BlenderToolError: what it found.
    """
    _run(tool, "validate", str(archive))


def generate_repository(folder: Path, tool: Path) -> None:
    """Have Blender list the zips of a folder in ``index.json`` and ``index.html`` beside them."""
    _run(tool, "server-generate", "--repo-dir", str(folder), "--html")


def _run(tool: Path, *arguments: str) -> str:
    result = subprocess.run([sys.executable, str(tool), *arguments], capture_output=True, text=True)
    output = (result.stdout + result.stderr).strip()
    if result.returncode or "FATAL_ERROR" in output:
        raise BlenderToolError(f"Blender's extension tool refuses {arguments[-1]}:\n{output}")
    return output
