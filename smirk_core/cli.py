# SPDX-License-Identifier: Apache-2.0
"""``smirk``: photos and videos of faces to animated heads, from the command line.

Exit code 0 only when everything asked for was written; 2 otherwise, with one line on standard error that says why.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType

from . import __version__

__all__ = ["main"]


class _Parser(argparse.ArgumentParser):
    """An argument parser that complains in one line."""

    def error(self, message: str) -> None:  # type: ignore[override]
        self.exit(2, f"{self.prog}: {message} (try {self.prog} --help)\n")


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    from .commands import animate, assets, detail, export, importing, preview, setup, track, train

    top = _Parser(prog="smirk", description="Photos and videos of faces to rigged, keyframed heads.")
    top.add_argument("--version", action="version", version=f"smirk {__version__}")
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    for module in (animate, track, importing, preview, export, detail, assets, train, setup):
        module.add_parser(commands)
    return top


def _leave(number: int, frame: FrameType | None) -> None:
    """Ctrl-C before any work: raised as an exception it would come out of some import as another error."""
    os.write(2, b"smirk: Stopped; nothing was kept.\n")
    os._exit(2)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    before = signal.signal(signal.SIGINT, _leave)
    try:
        parsed = parser().parse_args(arguments)
        return parsed.run(parsed)
    except BrokenPipeError:  # the reader of our output has gone, which needs no words
        pass
    except Exception as error:
        from .commands.batch import explain

        print(f"smirk: {explain(error)}", file=sys.stderr)
    finally:
        signal.signal(signal.SIGINT, before)
    return 2


if __name__ == "__main__":
    sys.exit(main())
