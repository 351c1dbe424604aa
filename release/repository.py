# SPDX-License-Identifier: Apache-2.0
"""A static extension repository: zips and a listing, to be served by any web server or opened as a folder."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from .blender_tool import generate_repository

__all__ = ["write_repository"]


def write_repository(archives: Iterable[Path], folder: Path, tool: Path) -> Path:
    """Copy zips into ``folder`` and list everything that lies there; returns the listing, ``index.json``."""
    folder.mkdir(parents=True, exist_ok=True)
    for archive in archives:
        copy = folder / archive.name
        if copy.resolve() != archive.resolve():
            shutil.copyfile(archive, copy.with_suffix(".part"))
            copy.with_suffix(".part").replace(copy)
    generate_repository(folder, tool)
    return folder / "index.json"
