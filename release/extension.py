# SPDX-License-Identifier: Apache-2.0
"""One installable zip: the add-on, its manifest, the wheels of one platform and Blender, the licences."""

from __future__ import annotations

import tempfile
from pathlib import Path

from .archive import write_archive
from .blender_tool import validate
from .core_wheel import build_core_wheel, core_version
from .fetch import FetchError, fetch, sha256
from .lock import locked
from .manifest import make_manifest
from .targets import BLENDERS, PACKAGES, PLATFORMS, ROOT

__all__ = ["FACE_LANDMARKER_SHA256", "build_extension", "check_task", "extension_name"]

FACE_LANDMARKER_SHA256 = "64184e229b263107bc2b804c6625db1341ff2bb731874b0bcc2fe6544e0bc9ff"
_DOCUMENTS = ("THIRD_PARTY.md", "MODEL_CARD.md", "LICENSES/GPL-3.0-or-later.txt", "LICENSES/Apache-2.0.txt",
              "LICENSES/CC0-1.0.txt")  # fmt: skip


def extension_name(blender: str, platform: str | None) -> str:
    """File name of a zip, such as ``smirk-0.1.0-blender4.5-linux-x64.zip``; without platform: the slim one."""
    return f"smirk-{core_version()}-blender{blender}-{platform or 'slim'}.zip"


def check_task(path: Path) -> Path:
    """``path``, if it is MediaPipe's face_landmarker.task.

    Raises:
        FetchError: it is missing or another file.
    """
    if not path.is_file():
        raise FetchError(f"There is no {path}.")
    if sha256(path) != FACE_LANDMARKER_SHA256:
        raise FetchError(f"{path} is not the face model that is needed: its SHA-256 is {sha256(path)}.")
    return path


def build_extension(
    blender: str, platform: str | None, out: Path, cache: Path, tool: Path, task: Path | None = None
) -> Path:
    """Build and validate one zip; the same input gives the same bytes.

    Args:
        blender: a key of :data:`release.targets.BLENDERS`.
        platform: Blender's name of it; ``None``: slim, for every platform, with nothing but what Blender's own process
            imports (small and pure Python), so that tracking runs in a Python that the person points to.
        out: folder for the zip; made where it is missing.
        cache: folder of fetched wheels.
        tool: Blender's extension tool.
        task: MediaPipe's face model to include.

    Raises:
        FetchError: a wheel or the face model is not the right one.
        BlenderToolError: Blender refuses the zip.
    """
    chosen = {p.name for p in PACKAGES if platform is not None or p.in_blender}
    every = locked(blender, platform or next(iter(PLATFORMS)))  # what the slim zip has is the same on all platforms
    wheels = [fetch(wheel, cache) for wheel in every if wheel.name in chosen]
    with tempfile.TemporaryDirectory() as folder:
        wheels.append(build_core_wheel(Path(folder), None if task is None else check_task(task)))
        files: dict[str, bytes | Path] = {f"wheels/{path.name}": path for path in wheels}
        for path in sorted((ROOT / "blender_smirk").rglob("*")):
            inside = path.relative_to(ROOT / "blender_smirk")
            hidden = any(part.startswith(".") or part == "__pycache__" for part in inside.parts)
            if path.is_file() and not hidden and path.suffix != ".pyc":
                files[inside.as_posix()] = path
        files["blender_manifest.toml"] = make_manifest(BLENDERS[blender], platform, [path.name for path in wheels])
        files.update({name: ROOT / name for name in _DOCUMENTS})
        archive = write_archive(out / extension_name(blender, platform), files)
    validate(archive, tool)
    return archive
