# SPDX-License-Identifier: Apache-2.0
"""``smirk_core`` as a wheel: the engine without training, tests and Blender's side."""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path

from .archive import write_archive
from .targets import ROOT

__all__ = ["FACE_LANDMARKER", "build_core_wheel", "core_version"]

FACE_LANDMARKER = "smirk_core/assets/face_landmarker.task"  # where the engine looks for it, beside the head
_LICENCES = ("LICENSES/Apache-2.0.txt", "LICENSES/CC0-1.0.txt")


def core_version() -> str:
    """``smirk_core.__version__``, read without importing it."""
    text = (ROOT / "smirk_core" / "__init__.py").read_text(encoding="utf-8")
    found = re.search(r'^__version__ = "([^"]+)"', text, re.MULTILINE)
    if found is None:
        raise ValueError("smirk_core/__init__.py has no __version__.")
    return found[1]


def build_core_wheel(folder: Path, task: Path | None = None) -> Path:
    """Write ``smirk_core-VERSION-py3-none-any.whl`` into ``folder``; the same sources give the same bytes.

    Args:
        task: MediaPipe's face_landmarker.task to put beside the bundled head.
    """
    version = core_version()
    info = f"smirk_core-{version}.dist-info"
    files = {
        path.relative_to(ROOT).as_posix(): path.read_bytes()
        for path in sorted((ROOT / "smirk_core").rglob("*"))
        if path.is_file() and not _passing(path)
    }
    if task is not None:
        files[FACE_LANDMARKER] = task.read_bytes()
    for licence in _LICENCES:
        files[f"{info}/licenses/{licence}"] = (ROOT / licence).read_bytes()
    files[f"{info}/METADATA"] = (
        f"Metadata-Version: 2.4\nName: smirk-core\nVersion: {version}\n"
        "Summary: Photos and videos of faces to animated heads: the engine\n"
        "License-Expression: Apache-2.0 AND CC0-1.0\n"
        + "".join(f"License-File: {licence}\n" for licence in _LICENCES)
        + "Requires-Python: >=3.11\n"
    ).encode()
    files[f"{info}/WHEEL"] = b"Wheel-Version: 1.0\nGenerator: smirk\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    rows = [f"{name},{_digest(data)},{len(data)}" for name, data in sorted(files.items())]
    files[f"{info}/RECORD"] = ("\n".join([*rows, f"{info}/RECORD,,"]) + "\n").encode()
    return write_archive(folder / f"smirk_core-{version}-py3-none-any.whl", files)


def _passing(path: Path) -> bool:
    """Whether a file is a trace of running the code, or of an editor."""
    return any(part.startswith(".") or part == "__pycache__" for part in path.relative_to(ROOT).parts) or (
        path.suffix in (".pyc", ".orig", ".rej") or path.as_posix().endswith(FACE_LANDMARKER)
    )


def _digest(data: bytes) -> str:
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
