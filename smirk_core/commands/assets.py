# SPDX-License-Identifier: Apache-2.0
"""``smirk assets``: the user's own FLAME and SMIRK files. Nothing is downloaded; files are copied, never moved."""

from __future__ import annotations

import argparse

from .. import user_assets
from ..errors import AssetError
from ..user_assets import KINDS
from .batch import Job, run_batch

__all__ = ["add_parser"]

_SHOWN = 20  # skipped files that are named


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "assets", help="your own FLAME and SMIRK files: import, list, remove", description=__doc__
    )
    actions = parser.add_subparsers(required=True, metavar="import|list|remove")
    bring = actions.add_parser("import", help="find, recognise and copy your files")
    bring.add_argument("paths", nargs="+", metavar="DIR|FILE", help="a folder, a file, or a zip of a FLAME download")
    bring.add_argument("--as", dest="kind", choices=KINDS, help="what the file is, where names do not tell")
    bring.set_defaults(run=run_import)
    show = actions.add_parser("list", help="what is here, what is missing, where to get it and under which terms")
    show.set_defaults(run=run_list)
    remove = actions.add_parser("remove", help="take a file out of the data folder")
    remove.add_argument("kind", choices=KINDS, metavar="KIND", help=", ".join(KINDS))
    remove.set_defaults(run=run_remove)


def run_import(arguments: argparse.Namespace) -> int:
    def work(index: int, job: Job) -> None:
        from ..asset_import import import_files

        report = import_files(arguments.paths, job.progress, kind=arguments.kind)
        for entry in report.skipped[:_SHOWN]:
            job.say(entry.text)
        if len(report.skipped) > _SHOWN:
            job.say(f"skipped {len(report.skipped) - _SHOWN} more")
        for entry in report.kept:
            job.say(entry.text)
        if not report.kept:
            raise AssetError(
                f"None of the {len(report.entries)} files looked at is one of FLAME's or SMIRK's; "
                "smirk assets list says what is needed and where to get it."
            )
        job.say(f"Kept in {user_assets.data_folder() / 'assets'}")

    return run_batch(["assets"], work)


def run_list(arguments: argparse.Namespace) -> int:
    def work(index: int, job: Job) -> None:
        states = user_assets.status()
        width = max(len(s.kind) for s in states)
        job.say(f"Your files, in {user_assets.data_folder() / 'assets'}:")
        for state in states:
            if state.path is not None:
                what = "known file" if state.verified else "unknown variant, recognised by its content"
                job.say(f"  {state.kind:<{width}}  {state.title}: {what}, {state.path}")
                job.say(f"  {'':<{width}}  terms: {state.licence}")
        if missing := [s for s in states if s.path is None]:
            job.say("Not here (smirk assets import DIR brings them):")
        for state in missing:
            job.say(f"  {state.kind:<{width}}  {state.title}: {state.purpose}")
            job.say(f"  {'':<{width}}  get it: {state.where}")
            job.say(f"  {'':<{width}}  terms:  {state.licence}")

    return run_batch(["assets"], work)


def run_remove(arguments: argparse.Namespace) -> int:
    def work(index: int, job: Job) -> None:
        if not user_assets.remove(arguments.kind):
            raise AssetError(f"There is no {arguments.kind} in {user_assets.data_folder() / 'assets'}.")
        job.say(f"Removed {arguments.kind}")

    return run_batch(["assets"], work)
