# SPDX-License-Identifier: Apache-2.0
"""``smirk import``: parameter files of SMIRK, DECA, EMOCA and INFERNO as a take on FLAME."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from ..errors import SmirkError
from ..heads.library import load_head
from ..importers.dialects import DIALECTS
from ..importers.take_import import import_take
from .batch import Job, run_batch
from .outputs import plan_outputs

__all__ = ["add_parser"]


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "import",
        help="results of SMIRK, DECA, EMOCA or INFERNO (.npz, .npy, .pkl, .mat, .pt) as a take",
        description=__doc__,
    )
    parser.add_argument("files", nargs="+", metavar="FILE", help="parameter file, or a folder with one for each frame")
    parser.add_argument("-o", "--output", required=True, metavar="TAKE", help="NAME.take.npz, or a folder for several")
    parser.add_argument(
        "--dialect", default="auto", choices=("auto", *(d.name for d in DIALECTS)), help="whose files (default: auto)"
    )
    parser.add_argument("--rate", type=float, default=None, metavar="FPS", help="frames per second (default: 25)")
    parser.add_argument(
        "--media", metavar="CLIP", help="the footage: its size, rate and path go into the take, for camera and sound"
    )
    parser.add_argument(
        "--head", default="flame", metavar="flame|FILE", help="the FLAME model (default: the one you imported)"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    outputs = plan_outputs(arguments.files, arguments.output, ".take.npz", (".npz",))
    source, size, rate = "", (0, 0), 25.0
    if arguments.media:
        from ..tracking.media import open_media

        info = open_media(arguments.media).info
        source, size = os.path.abspath(arguments.media), (info.width, info.height)  # noqa: PTH100 - may be a pattern
        rate = info.rate or rate
    rate = arguments.rate if arguments.rate is not None else rate

    def work(index: int, job: Job) -> None:
        path = Path(arguments.files[index])
        if outputs[index].exists() and outputs[index].resolve() == path.resolve():
            raise SmirkError(f"{path} would be overwritten; give another name after -o.")
        take = import_take(
            path,
            load_head(arguments.head),
            dialect=arguments.dialect,
            rate=rate,
            size=size,
            source=source,
            progress=job.progress,
        )
        job.tracked([take])
        job.wrote(take.save(outputs[index]))

    return run_batch(arguments.files, work)
