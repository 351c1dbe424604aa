# SPDX-License-Identifier: Apache-2.0
"""``python -m training.whole FOLDER``: pretraining, core training, weights and figures, in slices of a few minutes.

One and the same command, started again and again, does the next slice until all is done::

    until python -m training.whole runs/open --kind gpu --max-minutes 9; do [ $? -eq 3 ] || break; done

Exit codes: 0 when everything is there, 3 when there is more to do, 2 after an error.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from smirk_core.errors import SmirkError

from . import checkpoints
from .config import load_config
from .engine import launch, train
from .evaluate import evaluate, load_paths, save
from .export_weights import export

__all__ = ["main", "slice_of"]

_CONFIGS = Path(__file__).parent / "configs" / "open_head"
STAGES = ("pretrain", "core")


def slice_of(folder: Path, *, kind: str = "cpu", max_minutes: float = 9.0, overrides: Sequence[str] = ()) -> bool:
    """Work for at most ``max_minutes``, saving included; True when nothing is left to do.

    Args:
        folder: of both runs and all results.
        kind: ``cpu`` or ``gpu``, which of the shipped settings.
        max_minutes: of this slice. The figures at the end take a minute or two of their own: they get a slice.
        overrides: settings for both stages; those that begin with ``pretrain:`` or ``core:`` for that one.

    Raises:
        SmirkError: settings, data or checkpoints do not fit.
    """
    begun = time.monotonic()
    for stage in STAGES:
        name = stage if kind == "cpu" else f"{stage}_gpu"
        mine = [o.removeprefix(f"{stage}:") for o in overrides if ":" not in o.partition("=")[0] or o.startswith(stage)]
        if stage == "core":
            mine.append(f"model.start={folder / 'pretrain'}")
        config = load_config(_CONFIGS / f"{name}.yaml", mine)
        found = checkpoints.checkpoints(folder / stage)
        if found and int(found[-1].name.removeprefix("step-")) >= config.run.steps:
            continue
        left = max_minutes - (time.monotonic() - begun) / 60
        if left < 0.2 * max_minutes:
            return False
        run = train(config, folder / stage, max_minutes=left, fabric=launch(config))
        if run.step < config.run.steps:
            return False
    if not (folder / "encoder.json").is_file():
        if time.monotonic() - begun > 12 * max_minutes:  # a fifth of the time has gone
            return False
        export(folder / "core", folder)
    if not (folder / "evaluation.json").is_file():
        if time.monotonic() - begun > 12 * max_minutes:
            return False
        config = load_config(checkpoints.checkpoints(folder / "core")[-1] / "config.yaml")
        notes: list[str] = []
        results = evaluate(
            load_paths(folder / "core"), source=config.data.source, options=config.data.options, count=64, notes=notes
        )
        print(save(results, folder, notes, source=config.data.source, encoder="core", count=64))
    return True


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m training.whole", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("overrides", nargs="*", metavar="[stage:]key.sub=value")
    parser.add_argument("--kind", choices=("cpu", "gpu"), default="cpu")
    parser.add_argument("--max-minutes", type=float, default=9.0)
    parsed = parser.parse_intermixed_args(arguments)
    try:
        done = slice_of(parsed.folder, kind=parsed.kind, max_minutes=parsed.max_minutes, overrides=parsed.overrides)
    except SmirkError as error:
        print(f"whole: {error}", file=sys.stderr)
        return 2
    print("Everything is done." if done else "More to do: start the same command again.")
    return 0 if done else 3


if __name__ == "__main__":
    sys.exit(main())
