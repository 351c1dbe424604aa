# SPDX-License-Identifier: Apache-2.0
"""Where results go: one file for each medium, refused before any work where it cannot be written."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..errors import ExportError
from ..export.atomic import check_writable

__all__ = ["check_suffix", "face_path", "plan_outputs", "stem_of"]


def stem_of(path: str | Path) -> str:
    """The name without folder and suffix; ``clip.take.npz`` is ``clip``, ``shot_%04d.png`` is ``shot``."""
    name = Path(path).name
    name = name.removesuffix(".take.npz") if name.endswith(".take.npz") else Path(name).stem
    plain = name.split("%")[0].split("*")[0].split("#")[0].rstrip("_-. ")
    return plain or "take"


def check_suffix(path: str | Path, suffixes: Sequence[str]) -> str:
    """The suffix of ``path``, lower case, if it is one of ``suffixes``.

    Raises:
        ExportError: it is not; the message lists what is possible.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in suffixes:
        raise ExportError(f"Cannot write '{Path(path).name}': the name must end in {', '.join(suffixes)}.")
    return suffix


def plan_outputs(media: Sequence[str], output: str, default: str, suffixes: Sequence[str]) -> list[Path]:
    """One output path for each medium.

    ``output`` is a file for one medium. With several, or where it ends in a slash or is a folder already, it is a
    folder that receives NAME + ``default`` for each; equal names get a number.

    Raises:
        ExportError: unknown suffix, a file where a folder is needed, or a place that cannot be written.
    """
    folder = Path(output)
    into_folder = output.endswith(("/", "\\")) or folder.is_dir()
    if not into_folder and len(media) == 1:
        check_suffix(output, suffixes)
        check_writable(folder)
        return [folder]
    if not into_folder and folder.suffix:
        raise ExportError(f"{len(media)} media cannot all go into '{output}'; give a folder: -o FOLDER/")
    if folder.exists() and not folder.is_dir():
        raise ExportError(f"Cannot write into '{output}': it is a file, not a folder.")
    used: set[str] = set()
    paths = []
    for medium in media:
        stem = name = stem_of(medium)
        number = 2
        while name.casefold() in used:
            name, number = f"{stem}-{number}", number + 1
        used.add(name.casefold())
        paths.append(folder / (name + default))
    for path in paths:
        check_writable(path)
    return paths


def face_path(path: Path, face: int, count: int) -> Path:
    """``path`` itself for a single face, else ``NAME-faceK`` with the same suffix, faces counted from 1."""
    if count == 1:
        return path
    ending = ".take.npz" if path.name.endswith(".take.npz") else path.suffix
    return path.with_name(f"{path.name.removesuffix(ending)}-face{face + 1}{ending}")
