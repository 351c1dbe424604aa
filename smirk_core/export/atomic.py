# SPDX-License-Identifier: Apache-2.0
"""Files that appear whole or not at all, and a look before a long run whether a place can be written."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import ExportError

__all__ = ["atomic", "check_writable"]


@contextmanager
def atomic(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A temporary path in the folder of ``path``, with the same suffix; renamed to ``path`` when the block succeeds.

    Raises:
        ExportError: the folder cannot be written or the disk is full. Nothing is left behind, whatever is raised.
    """
    path = Path(path)
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".smirk-", suffix=path.suffix)
        os.close(handle)
        temporary = Path(name)
        yield temporary
        temporary.chmod(0o644)
        temporary.replace(path)
    except OSError as error:
        raise ExportError(f"Cannot write {path}: {error.strerror or error}.") from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def check_writable(path: str | os.PathLike[str]) -> None:
    """Make sure, before any work, that ``path`` could be written: its nearest existing folder takes a file.

    Raises:
        ExportError: it could not, with the reason.
    """
    path = Path(path)
    if path.is_dir():
        raise ExportError(f"Cannot write {path}: it is a folder.")
    folder = path.parent
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise ExportError(f"Cannot write into {folder}: {error.strerror or error}.") from error
