# SPDX-License-Identifier: Apache-2.0
"""The bundled encoder from portraits to files, by one command that is started again and again:

    until python -m training.bundled.recipe training/configs/open_head/bundled_cpu.yaml runs/bundled --max-minutes 9
    do [ $? -eq 3 ] || break; done

``--max-minutes 0`` goes on until all is there. A stage's name after the folder does that stage alone, and
``stage.key=value`` changes a setting. ``--ablation without_cycle --of runs/bundled`` leaves something out, in a folder
of its own, with what a whole run has made; see ``bundled_ablations.yaml``.

Exit codes: 0 when everything is there, 3 when there is more to do, 2 after an error.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from smirk_core.errors import SmirkError, TrainingError
from smirk_core.export.atomic import atomic

from .recipe_settings import STAGES, ablation, load_recipe
from .stages import TABLE, Run, taught

__all__ = ["main", "slice_of"]

_ABLATIONS = Path(__file__).parent.parent / "configs" / "open_head" / "bundled_ablations.yaml"
# What may change in a stage that has begun: how long, and with how much of the machine. All else needs another folder.
_MAY_CHANGE = {"minutes", "faces", "count", "save_every"}
_TAUGHT = ("teacher", "synthesis", "student")
_END = 1e9  # minutes


def slice_of(run: Run, *, max_minutes: float = 9.0, only: str = "") -> bool:
    """Work for about ``max_minutes``; True when nothing is left to do.

    Args:
        max_minutes: of this slice; 0 for no end. No stage is begun in the last fifth of it.
        only: the one stage to do.

    Raises:
        SmirkError: settings, data or states do not fit, or a stage that this one needs is not done.
    """
    begun, longest = time.monotonic(), max_minutes or _END
    torch.set_num_threads(run.recipe.threads)
    worked = False
    for name in [only] if only else STAGES:
        if _is_done(run, name):
            continue
        left = longest - (time.monotonic() - begun) / 60
        if worked and left < 0.2 * longest:
            return False
        for other in TABLE[name].needs(run):
            if not _is_done(run, other):
                raise TrainingError(f"The stage '{name}' needs '{other}', which is not done: do that first.")
        print(f"{name} ...", flush=True)
        started, took = time.monotonic(), _notes(run).get(name, {}).get("minutes", 0.0)
        run.folder.mkdir(parents=True, exist_ok=True)
        _note(run, name, took)  # what it is made with, before there is any of it
        TABLE[name].work(run, max(0.9 * left, 1e-6))  # a step fits in whatever the time
        _note(run, name, took + (time.monotonic() - started) / 60)
        worked = True
        if not _is_done(run, name):
            return False
    return True


def _is_done(run: Run, name: str) -> bool:
    """Whether a stage's result is there, as the recipe asks for it, or not asked for.

    Raises:
        TrainingError: it was begun with other settings, or another folder was to have it and has not.
    """
    if not run.asked(name):
        return True
    if name in run.recipe.taken:
        if not run.path(name).exists():
            raise TrainingError(f"taken.{name}: there is no {run.path(name)}.")
        return True
    noted = _notes(run).get(name)
    if noted is not None and run.path(name).exists():
        old, new = _flat(noted["settings"]), _flat(run.settings(name))
        for key in sorted(set(old) | set(new)):
            if old.get(key) == new.get(key) or key.rpartition(".")[2] in _MAY_CHANGE:
                continue
            if TABLE[name].quick:
                return False
            raise TrainingError(
                f"{run.path(name)} was begun with {key} = {old.get(key)}, not {new.get(key)}: delete it or take "
                "another folder."
            )
    return TABLE[name].done(run)


def _notes(run: Run) -> dict[str, Any]:
    path = run.folder / "recipe.json"
    try:
        return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    except ValueError as error:
        raise TrainingError(f"{path} cannot be read ({error}); delete it.") from error


def _note(run: Run, name: str, minutes: float) -> None:
    """Write down what a stage was asked for, and what it has taken."""
    said: dict[str, Any] = {"settings": run.settings(name), "minutes": round(minutes, 2)}
    if name in _TAUGHT:
        spent, seen = taught(run, name)
        said |= {"trained_minutes": round(spent, 2), "faces_seen": seen}
    with atomic(run.folder / "recipe.json") as path:
        path.write_text(json.dumps(_notes(run) | {name: said}, indent=1) + "\n", encoding="utf-8")


def _flat(tree: Mapping[str, Any], at: str = "") -> dict[str, Any]:
    """Settings by dotted names."""
    out: dict[str, Any] = {}
    for key, value in tree.items():
        out |= _flat(value, f"{at}{key}.") if isinstance(value, Mapping) else {f"{at}{key}": value}
    return out


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser("python -m training.bundled.recipe", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("recipe", type=Path, help="a YAML file such as training/configs/open_head/bundled_cpu.yaml")
    parser.add_argument("folder", type=Path, help="of all results")
    parser.add_argument("rest", nargs="*", metavar="STAGE or stage.key=value", help=f"stages: {', '.join(STAGES)}")
    parser.add_argument("--max-minutes", type=float, default=9.0, help="of this call; 0 for no end")
    parser.add_argument("--ablation", help="what to leave out, a name of bundled_ablations.yaml")
    parser.add_argument("--of", type=Path, help="folder of the whole run that an ablation borrows from")
    given = parser.parse_intermixed_args(arguments)
    overrides = [w for w in given.rest if "=" in w]
    stages = [w for w in given.rest if "=" not in w]
    try:
        if len(stages) > 1 or not set(stages) <= set(STAGES):
            raise TrainingError(f"'{' '.join(stages)}' is no stage; there are {', '.join(STAGES)}.")
        if given.max_minutes < 0:
            raise TrainingError("--max-minutes must not be negative.")
        left_out = ablation(_ABLATIONS, given.ablation, given.of) if given.ablation else []
        run = Run(load_recipe(given.recipe, [*left_out, *overrides]), given.folder)
        done = slice_of(run, max_minutes=given.max_minutes, only=stages[0] if stages else "")
    except (SmirkError, OSError) as error:
        print(f"recipe: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("Stopped; what is whole is kept.", file=sys.stderr)
        return 1
    print("Everything is done." if done else "More to do: start the same command again.")
    return 0 if done else 3


if __name__ == "__main__":
    sys.exit(main())
