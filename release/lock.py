# SPDX-License-Identifier: Apache-2.0
"""``wheels.lock.toml``: exactly which files from PyPI go into the extension, by SHA-256."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from .targets import ROOT

__all__ = ["LOCK", "LockedWheel", "locked", "read_lock", "write_lock"]

LOCK = ROOT / "wheels.lock.toml"
_HEADER = """\
# The wheels inside the extension, unmodified from PyPI. Written by `python build_addon.py --lock`; do not edit.
# Versions are those of constraints.txt (Blender 4.5 and 5.0) and constraints-3.13.txt (Blender 5.1 on).
"""


@dataclass(frozen=True, order=True)
class LockedWheel:
    """One wheel of one Blender target on one platform; sizes in bytes."""

    blender: str
    platform: str
    name: str
    version: str
    file: str
    size: int
    sha256: str
    licence: str


def read_lock(path: Path = LOCK) -> list[LockedWheel]:
    """All entries, in order.

    Raises:
        ValueError: an entry has a missing or an unknown key.
    """
    entries = tomllib.loads(path.read_text(encoding="utf-8")).get("wheel", [])
    try:
        return sorted(LockedWheel(**entry) for entry in entries)
    except TypeError as error:
        raise ValueError(f"{path} is damaged ({error}); write it anew with --lock.") from error


def write_lock(wheels: Iterable[LockedWheel], path: Path = LOCK) -> None:
    """Write entries in a fixed order, so that a lock changes only where a wheel does."""
    names = [f.name for f in fields(LockedWheel)]
    blocks = []
    for wheel in sorted(wheels):
        values = asdict(wheel)
        lines = [f"{n} = {values[n]}" if isinstance(values[n], int) else f'{n} = "{values[n]}"' for n in names]
        blocks.append("\n".join(["[[wheel]]", *lines]))
    path.write_text(_HEADER + "\n" + "\n\n".join(blocks) + "\n", encoding="utf-8", newline="\n")


def locked(blender: str, platform: str, path: Path = LOCK) -> list[LockedWheel]:
    """The wheels of one zip, by name.

    Raises:
        ValueError: the lock has none for this combination.
    """
    found = [w for w in read_lock(path) if (w.blender, w.platform) == (blender, platform)]
    if not found:
        raise ValueError(f"{path.name} has no wheels for Blender {blender} on {platform}; write it anew with --lock.")
    return found
