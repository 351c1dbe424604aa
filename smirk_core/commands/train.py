# SPDX-License-Identifier: Apache-2.0
"""``smirk train``: teach an encoder. The work is done by ``python -m training.train`` in a process of its own."""

from __future__ import annotations

import argparse
import importlib.util
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from types import FrameType
from typing import Any

from ..errors import TrainingError

__all__ = ["STAGES", "add_parser", "missing_packages", "train_command"]

STAGES = {"pretrain": "all three networks, from landmarks and known truth", "core": "expressions, by neural synthesis"}
# what training needs: import name -> name for pip
_NEEDED = {"torch": "torch", "lightning_fabric": "lightning-fabric", "yaml": "PyYAML", "tqdm": "tqdm"}


def add_parser(commands: Any) -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "train",
        help="teach an encoder (needs torch)",
        description="Teach an encoder. A run lives in one folder and goes on where it stopped.",
    )
    parser.add_argument("stage", choices=STAGES, help="; ".join(f"{k}: {v}" for k, v in STAGES.items()))
    parser.add_argument("overrides", nargs="*", metavar="key.sub=value", help="settings that differ from the file's")
    parser.add_argument("--config", default="", metavar="FILE", help="a YAML file (default: the open head's)")
    parser.add_argument("-o", "--out", default="", metavar="FOLDER", help="of the run (default: runs/open_head/STAGE)")
    parser.add_argument("--resume", default="auto", help="auto (default), none, or a checkpoint's folder")
    parser.add_argument("--max-minutes", type=float, default=0.0, metavar="M", help="stop cleanly after M minutes")
    parser.set_defaults(run=run)


def missing_packages() -> list[str]:
    """What training needs and is not here, under the names that pip knows."""
    return [pip for name, pip in _NEEDED.items() if importlib.util.find_spec(name) is None]


def train_command(parsed: argparse.Namespace) -> list[str]:
    """The command line of the process that trains."""
    command = [sys.executable, "-m", "training.train", parsed.config or f"open_head/{parsed.stage}", *parsed.overrides]
    if parsed.out:
        command += ["-o", parsed.out]
    return [*command, "--resume", parsed.resume, "--max-minutes", str(parsed.max_minutes)]


def run(parsed: argparse.Namespace) -> int:
    """Train; 0 when the run was saved.

    Raises:
        TrainingError: a package or the training code is missing.
    """
    missing = missing_packages()
    if missing:
        raise TrainingError(
            f"Training needs {', '.join(missing)}; install with: pip install 'smirk-blender[train]'. "
            "Animating does not need it."
        )
    if importlib.util.find_spec("training") is None:
        raise TrainingError(
            "The training code is not in this installation; install smirk-blender from its repository: "
            "pip install -e '.[train]'."
        )
    process = subprocess.Popen(train_command(parsed), env=dict(os.environ))
    handlers = _pass_on(process)
    try:
        return 0 if process.wait() == 0 else 2
    finally:
        for number, handler in handlers:
            signal.signal(number, handler)


def _pass_on(process: subprocess.Popen[bytes]) -> Sequence[tuple[int, Any]]:
    """Requests to stop reach the training process, which saves; Ctrl-C reaches it by itself, from the terminal."""

    def told(number: int, frame: FrameType | None) -> None:
        if number != signal.SIGINT:
            process.send_signal(number)

    return [(number, signal.signal(number, told)) for number in (signal.SIGINT, signal.SIGTERM)]
