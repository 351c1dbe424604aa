# SPDX-License-Identifier: Apache-2.0
"""The figures of docs/head.md: ``python -m benchmarks.head_look.figures [PART ...]``.

Each part updates its own entry of docs/head.json and the table of docs/head.md between its two marks; parts that are
not asked for keep their last figures. ``frame`` is kept by version of Blender: run it once in each.
``rebuild`` needs an interpreter with the package ``anny`` (``--builder``).
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.performance import ROOT, machine
from smirk_core.heads.library import load_head

from .page import write_table

__all__ = ["PARTS"]

REPORT = ROOT / "docs" / "head.json"
Figures = dict[str, Any]


def _polygons(options: argparse.Namespace) -> Figures:
    from .asset import measure_polygons

    return measure_polygons(load_head(options.head))


def _sizes(options: argparse.Namespace) -> Figures:
    from .asset import measure_sizes

    del options
    return measure_sizes()


def _rebuild(options: argparse.Namespace) -> Figures:
    from .asset import measure_rebuild

    return measure_rebuild(options.builder)


def _lids(options: argparse.Namespace) -> Figures:
    from .geometry import measure_lids

    return measure_lids(load_head(options.head), options.people)


def _mouth(options: argparse.Namespace) -> Figures:
    from .geometry import measure_mouth

    return measure_mouth(load_head(options.head), options.people)


def _stretch(options: argparse.Namespace) -> Figures:
    from .geometry import measure_stretch

    return measure_stretch(load_head(options.head))


def _frame(options: argparse.Namespace) -> Figures:
    import bpy

    from .frame_cost import measure_frame_cost

    known = json.loads(REPORT.read_text()).get("frame", {}) if REPORT.exists() else {}
    known = {k: v for k, v in known.items() if k[0].isdigit()}
    version = ".".join(map(str, bpy.app.version[:2]))
    return known | {version: measure_frame_cost(load_head(options.head))}


def _detection(options: argparse.Namespace) -> Figures:
    from .detection import measure_detection

    return measure_detection(load_head(options.head), options.count)


PARTS: dict[str, Callable[[argparse.Namespace], Figures]] = {
    "polygons": _polygons,
    "sizes": _sizes,
    "rebuild": _rebuild,
    "lids": _lids,
    "mouth": _mouth,
    "stretch": _stretch,
    "frame": _frame,
    "detection": _detection,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"any of {', '.join(PARTS)}; all by default")
    parser.add_argument("--head", default="open", help="'open' or a head file")
    parser.add_argument("--count", type=int, default=500, help="pictures for detection")
    parser.add_argument("--people", type=int, default=200, help="random identities for lids and mouth")
    parser.add_argument("--builder", type=Path, default=Path(sys.executable), help="interpreter with anny")
    parser.add_argument("--dry", action="store_true", help="print, write nothing")
    options = parser.parse_args()
    unknown = [p for p in options.parts if p not in PARTS]
    if unknown:
        parser.error(f"there is no part {', '.join(unknown)}; choose among {', '.join(PARTS)}")
    for part in options.parts or PARTS:
        figures = PARTS[part](options)
        sys.stdout.write(f"{part} {json.dumps(figures)}\n")
        sys.stdout.flush()
        if options.dry:
            continue
        report = json.loads(REPORT.read_text()) if REPORT.exists() else {}  # as it is now: others may have written
        report[part] = {
            **figures, "command": f"python -m benchmarks.head_look.figures {part}", "machine": machine()
        }  # fmt: skip
        REPORT.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
        write_table(report, ROOT / "docs" / "head.md")
    return 0


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    os._exit(code)  # Blender as a module hangs now and then while it takes itself apart
