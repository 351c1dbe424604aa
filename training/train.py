# SPDX-License-Identifier: Apache-2.0
"""``python -m training.train CONFIG [key.sub=value …]``: teach the encoder, from nothing to weights.

A run lives in one folder and goes on where it stopped, so long runs can be done in slices::

    python -m training.train training/configs/open_head/pretrain.yaml -o runs/pretrain --max-minutes 9
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from smirk_core.errors import SmirkError, TrainingError

__all__ = ["main", "parser"]

CONFIGS = Path(__file__).parent / "configs"


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(prog="python -m training.train", description=(__doc__ or "").splitlines()[0])
    top.add_argument("config", help="a YAML file, or a name below training/configs such as open_head/pretrain")
    top.add_argument("overrides", nargs="*", metavar="key.sub=value", help="settings that differ from the file's")
    top.add_argument("-o", "--out", type=Path, help="folder of the run (default: runs/ and the configuration's name)")
    top.add_argument("--resume", default="auto", help="auto (default), none, or a checkpoint's folder")
    top.add_argument("--max-minutes", type=float, default=0.0, metavar="M", help="stop cleanly after M minutes")
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run; 0 when the run was saved (complete or not), 2 otherwise with one line on standard error."""
    parsed = parser().parse_intermixed_args(arguments)
    try:
        from .config import load_config
        from .engine import train

        path = Path(parsed.config)
        if not path.exists():
            path = CONFIGS / f"{parsed.config.removesuffix('.yaml')}.yaml"
        config = load_config(path if path.exists() else parsed.config, parsed.overrides)
        out = parsed.out or Path("runs") / path.parent.name / path.stem
        train(config, out, resume=parsed.resume, max_minutes=parsed.max_minutes)
    except ModuleNotFoundError as error:
        what = TrainingError(f"Training needs {error.name}; install it with: pip install 'smirk-blender[train]'.")
        print(f"smirk train: {what}", file=sys.stderr)
        return 2
    except SmirkError as error:
        print(f"smirk train: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
