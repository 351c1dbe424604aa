# SPDX-License-Identifier: Apache-2.0
"""``smirk preview``: a take as a video or contact sheet, footage and head side by side."""

from __future__ import annotations

import argparse

from ..export.atomic import check_writable
from ..take import load_take
from .batch import Job, run_batch
from .outputs import check_suffix

__all__ = ["add_parser"]

SUFFIXES = (".mp4", ".png", ".jpg")


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("preview", help="a take beside its footage, as video or picture")
    parser.add_argument("take", metavar="TAKE", help="NAME.take.npz")
    parser.add_argument("-o", "--output", required=True, metavar="OUT", help=f"file ending in {', '.join(SUFFIXES)}")
    parser.add_argument("--media", metavar="FILE", help="the footage, where it is no longer where the take says")
    parser.add_argument(
        "--head", metavar="FILE|NAME", help="the head of the take, where it is neither the bundled nor an imported one"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    check_suffix(arguments.output, SUFFIXES)
    check_writable(arguments.output)
    take = load_take(arguments.take)

    def work(index: int, job: Job) -> None:
        from ..heads.library import head_of_take
        from ..rendering.preview import preview

        model = head_of_take(take, arguments.head)
        job.wrote(preview(take, arguments.output, media=arguments.media, progress=job.progress, model=model))

    return run_batch([arguments.take], work)
