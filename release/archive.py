# SPDX-License-Identifier: Apache-2.0
"""Zip files whose bytes depend on nothing but their contents."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Mapping
from pathlib import Path

__all__ = ["write_archive"]

_DATE = (1980, 1, 1, 0, 0, 0)  # the first that the format can hold
_MODE = (0o100644) << 16  # a plain file, for unzip on Unix


def write_archive(path: Path, files: Mapping[str, bytes | Path]) -> Path:
    """Write members in the order of their names; appears whole or not at all.

    Nothing is compressed, because compressors differ between machines: wheels and models hold compressed data anyway,
    and the source code is small.

    Args:
        files: name inside the archive -> contents, or the file that has them.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
            for name in sorted(files):
                data = files[name]
                member = zipfile.ZipInfo(name, _DATE)
                member.create_system, member.external_attr = 3, _MODE
                archive.writestr(member, data.read_bytes() if isinstance(data, Path) else data)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return path
