# SPDX-License-Identifier: GPL-3.0-or-later
"""Which files may show a face, and what a file browser or a drop means by a list of names."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

__all__ = ["PICTURES", "SUFFIXES", "VIDEOS", "chosen_media"]

VIDEOS: tuple[str, ...] = (
    ".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".mts", ".m2ts", ".wmv", ".3gp",
)  # fmt: skip
PICTURES: tuple[str, ...] = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")
SUFFIXES: tuple[str, ...] = VIDEOS + PICTURES


def chosen_media(directory: str, names: Sequence[str], filepath: str) -> list[str]:
    """Paths of the chosen files in the order of their names; the one path where no list was given.

    A file browser names a folder and files in it; a script often gives the path alone.
    """
    paths = sorted({str(Path(directory) / name) for name in names if name}) if directory else []
    return paths or ([filepath] if filepath else [])
