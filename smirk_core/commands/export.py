# SPDX-License-Identifier: Apache-2.0
"""``smirk export``: a take as a table, JSON, meshes or arrays for other programs."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..export.atomic import check_writable
from ..export.csv import write_csv
from ..export.json import write_json
from ..export.npz import write_npz
from ..export.obj import write_obj
from ..heads.library import head_of_take
from ..take import load_take
from .batch import Job, run_batch
from .outputs import check_suffix

__all__ = ["add_parser"]

SUFFIXES = (".csv", ".json", ".obj", ".npz")


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("export", help="a take as .csv, .json, .obj or .npz")
    parser.add_argument("take", metavar="TAKE", help="NAME.take.npz")
    parser.add_argument("-o", "--output", required=True, metavar="OUT", help=f"file ending in {', '.join(SUFFIXES)}")
    parser.add_argument(
        "--head", metavar="FILE|NAME", help="the head of the take, where it is neither the bundled nor an imported one"
    )
    parser.add_argument("--raw", action="store_true", help="the curves before any filter")
    parser.add_argument(
        "--layout", default="plain", choices=("plain", "livelink"), help=".csv: our names, or Live Link Face's header"
    )
    parser.add_argument("--frame", type=int, metavar="N", help=".obj: only this frame of the take, counted from 0")
    parser.add_argument("--vertices", action="store_true", help=".npz: with vertices, joints and landmarks")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    suffix = check_suffix(arguments.output, SUFFIXES)
    check_writable(arguments.output)
    take = load_take(arguments.take)
    head = head_of_take(take, arguments.head)
    output, raw = Path(arguments.output), arguments.raw

    def work(index: int, job: Job) -> None:
        if suffix == ".csv":
            job.wrote(write_csv(take, head, output, layout=arguments.layout, raw=raw))
        elif suffix == ".json":
            job.wrote(write_json(take, head, output, raw=raw))
        elif suffix == ".npz":
            job.wrote(write_npz(take, head, output, vertices=arguments.vertices, raw=raw))
        else:
            files = write_obj(take, head, output, frame=arguments.frame, raw=raw, progress=job.progress)
            job.wrote(files[0])
            if len(files) > 1:
                job.say(f"  … to {files[-1].name}, {len(files)} files")

    return run_batch([arguments.take], work)
