# SPDX-License-Identifier: Apache-2.0
"""Wheels from PyPI into a folder that is kept: fetched once by pip, verified on every use."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from .lock import LockedWheel
from .targets import BLENDERS, PLATFORMS, ROOT, Package, wanted

__all__ = ["FetchError", "fetch", "locked_anew", "sha256"]


class FetchError(RuntimeError):
    """A wheel cannot be had, or is not the file that it should be."""


def sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def fetch(wheel: LockedWheel, cache: Path) -> Path:
    """The wheel's file in ``cache``, verified; asks PyPI only where it is not there yet.

    Raises:
        FetchError: PyPI cannot be reached or has it no more, or the file's SHA-256 is not the locked one.
    """
    path = cache / wheel.file
    if not path.is_file():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as folder:
            found = _download(wheel.name, wheel.version, wheel.blender, wheel.platform, Path(folder))
            if found.name != wheel.file:
                raise FetchError(f"PyPI gave {found.name} in place of {wheel.file}.")
            _verify(found, wheel)
            found.replace(path)  # whole or not at all
    _verify(path, wheel)
    return path


def _verify(path: Path, wheel: LockedWheel) -> None:
    digest = sha256(path)
    if digest != wheel.sha256:
        raise FetchError(
            f"{path} has the SHA-256 {digest}, not {wheel.sha256}: delete it, and look where it came from."
        )


def locked_anew(cache: Path) -> list[LockedWheel]:
    """Entries for everything that is wanted, at the versions of the constraints files; downloads all of it."""
    entries = []
    for blender, target in BLENDERS.items():
        versions = _constraints(ROOT / target.constraints)
        for platform in PLATFORMS:
            for package in wanted(blender):
                if package.name not in versions:
                    raise FetchError(f"{target.constraints} names no version of {package.name}.")
                entries.append(_entry(package, versions[package.name], blender, platform, cache))
    return entries


def _entry(package: Package, version: str, blender: str, platform: str, cache: Path) -> LockedWheel:
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as folder:
        found = _download(package.name, version, blender, platform, Path(folder))
        kept = found.replace(cache / found.name)
    return LockedWheel(
        blender, platform, package.name, version, kept.name, kept.stat().st_size, sha256(kept), package.licence
    )


def _constraints(path: Path) -> dict[str, str]:
    """Normalised name -> version of a constraints file."""
    found = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        name, equals, version = line.partition("#")[0].strip().partition("==")
        if equals:
            found[re.sub(r"[-_.]+", "-", name).lower()] = version.strip()
    return found


def _download(name: str, version: str, blender: str, platform: str, folder: Path) -> Path:
    """One wheel, without what it depends on, as pip chooses it for another machine."""
    target = BLENDERS[blender]
    command = [
        sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--no-input",
        "--only-binary=:all:", "--implementation=cp", f"--python-version={target.python}", "--dest", str(folder),
        *(f"--platform={tag}" for tag in PLATFORMS[platform]), f"{name}=={version}",
    ]  # fmt: skip
    result = subprocess.run(command, capture_output=True, text=True)
    found = list(folder.glob("*.whl"))
    if result.returncode or len(found) != 1:
        reasons = [line for line in result.stderr.splitlines() if line.startswith("ERROR")] or ["no answer"]
        raise FetchError(f"pip cannot fetch {name} {version} for Blender {blender} on {platform}: {reasons[-1]}")
    return found[0]
