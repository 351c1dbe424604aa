# SPDX-License-Identifier: Apache-2.0
"""Contact sheets of the head in Cycles: ``python -m benchmarks.head_look -o DIR [--sheet NAME ...]``.

A picture that is there already is not rendered again (``--force`` does), so an interrupted run goes on where it was.
``beside`` puts the sheets beside the prototype's and beside photographs, from ``--shared``; nothing of those may be
given away.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

import numpy as np

from smirk_core.errors import SmirkError
from smirk_core.heads.library import load_head
from smirk_core.rendering.sheets import contact_sheet, save_picture

ROOT = Path(__file__).parent.parent.parent
BESIDE = "beside"


def _cell_path(folder: Path, sheet: str, number: int, label: str) -> Path:
    plain = "".join(c if c.isalnum() else "_" for c in label)
    return folder / "cells" / sheet / f"{number:02d}_{plain}.png"


def _read(path: Path) -> np.ndarray:
    from PIL import Image

    return np.asarray(Image.open(path).convert("RGB"))


def _is_there(path: Path, size: int) -> bool:
    """Whether a picture of this size has been rendered."""
    from PIL import Image

    if not path.exists():
        return False
    with Image.open(path) as picture:
        return picture.size == (size, size)


def render_sheets(folder: Path, names: list[str], options: argparse.Namespace) -> None:
    """Render what is missing of the sheets ``names`` and write them."""
    from .sheets import SHEETS
    from .studio import Studio
    from .subject import Subject

    model = load_head(options.head)
    for name in names:
        sheet = SHEETS[name][0]()
        wanted = [c for c in options.cells or [] if c]
        chosen = [(k, c) for k, c in enumerate(sheet.cells) if not wanted or any(w in c.label for w in wanted)]
        paths = [_cell_path(folder, name, k, c.label) for k, c in chosen]
        size = round(options.size * sheet.scale)
        missing = [i for i, p in enumerate(paths) if options.force or not _is_there(p, size)]
        # People one after the other, so that each is built once.
        missing.sort(key=lambda i: (chosen[i][1].person.number, chosen[i][1].wrinkles, chosen[i][1].engine, i))
        begin = time.perf_counter()
        if missing:
            studio = Studio(size, options.samples, options.threads)
            subject = Subject(model)
            for done, i in enumerate(missing):
                cell = chosen[i][1]
                subject.become(cell.person, wrinkles=cell.wrinkles)
                subject.pose(cell.pose)
                studio.aim(subject.place(cell.part, cell.pose), cell.extent)
                studio.render(paths[i], cell.engine)
                seconds = (time.perf_counter() - begin) / (done + 1)
                left = seconds * (len(missing) - done - 1) / 60
                sys.stdout.write(f"{name}: {done + 1} of {len(missing)}, {cell.label}, {left:.1f} min left\n")
                sys.stdout.flush()
        pictures, labels = [_read(p) for p in paths], [c.label for _, c in chosen]
        path = save_picture(contact_sheet(pictures, sheet.columns, labels), folder / f"{name}.png")
        minutes = (time.perf_counter() - begin) / 60
        sys.stdout.write(f"{path}: {len(missing)} pictures in {minutes:.1f} min\n")
        sys.stdout.flush()


def publish(folder: Path, names: list[str], target: Path) -> list[Path]:
    """Write the sheets that are there as ``TARGET/head_NAME.jpg``, no wider than a page, for the documentation."""
    from PIL import Image

    written = []
    for name in names:
        if not (folder / f"{name}.png").exists():
            continue
        with Image.open(folder / f"{name}.png") as picture:
            small = picture.convert("RGB")
        small.thumbnail((1400, 1600), Image.Resampling.LANCZOS)
        written.append(save_picture(np.asarray(small), target / f"head_{name}.jpg"))
    return written


def main() -> int:
    from .sheets import SHEETS, SLOW

    names = [*SHEETS, BESIDE]
    words = "; ".join(f"{n}: {w}" for n, (_, w) in SHEETS.items())
    parser = argparse.ArgumentParser(prog="python -m benchmarks.head_look", description=__doc__, epilog=words)
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="DIR", help="folder for the sheets")
    parser.add_argument("--sheet", nargs="+", choices=names, help=f"which; all but {', '.join(SLOW)} by default")
    parser.add_argument("--cells", nargs="+", metavar="WORD", help="only pictures whose label has one of these words")
    parser.add_argument("--size", type=int, default=288, help="pixels of a usual picture")
    parser.add_argument("--samples", type=int, default=24, help="of Cycles, before denoising")
    parser.add_argument("--threads", type=int, default=0, help="0 for as many as there are cores")
    parser.add_argument("--head", default="open", help="'open' or a head file")
    parser.add_argument("--shared", type=Path, default=ROOT.parent / "shared", help="prototype's sheets, photographs")
    parser.add_argument("--publish", type=Path, metavar="DIR", help="also write the sheets there as small JPEGs")
    parser.add_argument("--force", action="store_true", help="render again what is there")
    options = parser.parse_args()
    options.sheet = options.sheet or [n for n in names if n not in SLOW]
    try:
        rendered = [n for n in options.sheet if n != BESIDE]
        if rendered:
            render_sheets(options.output, rendered, options)
        if options.publish:
            publish(options.output, rendered, options.publish)
        if BESIDE in options.sheet:
            from .beside import write_beside

            for path in write_beside(options.output, options.shared):
                sys.stdout.write(f"{path}\n")
    except SmirkError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    os._exit(code)  # Blender as a module hangs now and then while it takes itself apart
