# SPDX-License-Identifier: Apache-2.0
"""Builds the Blender extension: ``python build_addon.py --platform linux-x64 --blender 4.5``.

Needs Python 3.11 or later, pip, and ``bpy`` for Blender's own validator. Wheels come from PyPI on the first run and
from the cache afterwards; each is checked against ``wheels.lock.toml``. The same input gives the same bytes.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from release.blender_tool import BlenderToolError, find_tool
from release.extension import build_extension
from release.fetch import FetchError, locked_anew
from release.lock import LOCK, write_lock
from release.repository import write_repository
from release.targets import BLENDERS, PLATFORMS, ROOT


def main(arguments: list[str] | None = None) -> int:
    """Build what the command line asks for; returns the exit code."""
    options = _parser().parse_args(arguments)
    try:
        if options.lock:
            write_lock(locked_anew(options.wheels))
            print(f"{LOCK} written")
            return 0
        tool = find_tool(options.tool)
        blenders = list(BLENDERS) if options.blender == "all" else [options.blender]
        platforms = list(PLATFORMS) if options.platform == "all" else [options.platform]
        archives = []
        for blender in blenders:
            for platform in [None] if options.slim else platforms:
                archive = build_extension(blender, platform, options.out, options.wheels, tool, options.task)
                print(f"{archive}  {archive.stat().st_size / 1e6:.1f} MB", flush=True)
                archives.append(archive)
        if options.repository is not None:
            print(write_repository(archives, options.repository, tool))
    except (BlenderToolError, FetchError, OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Build the Blender extension.")
    parser.add_argument("--platform", default="all", choices=[*PLATFORMS, "all"])
    parser.add_argument("--blender", default="all", choices=[*BLENDERS, "all"], help="4.5 is for 4.5 and 5.0")
    parser.add_argument("--slim", action="store_true", help="leave third-party wheels out; one zip for all platforms")
    parser.add_argument("--task", type=Path, metavar="FILE", help="include MediaPipe's face_landmarker.task")
    parser.add_argument("--out", type=Path, default=ROOT / "dist", metavar="DIR", help="for the zips (default: dist)")
    parser.add_argument("--repository", type=Path, metavar="DIR", help="also write a static extension repository")
    cache = Path(os.environ.get("SMIRK_WHEELS") or ROOT / ".wheels")
    parser.add_argument("--wheels", type=Path, default=cache, metavar="DIR", help="cache (default: $SMIRK_WHEELS)")
    parser.add_argument("--tool", type=Path, metavar="FILE", help="blender_ext.py, or a folder of Blender that has it")
    parser.add_argument("--lock", action="store_true", help="only choose the wheels anew and write wheels.lock.toml")
    return parser


if __name__ == "__main__":
    sys.exit(main())
