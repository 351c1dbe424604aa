# SPDX-License-Identifier: Apache-2.0
"""Make the pictures that the model of the detector learns from, run the detector, keep points and truth.

    python -m training.detector.generate --out DIR --count 20000 --seed 0 --source renders
    python -m training.detector.generate --out DIR --count 15000 --seed 0 --source portraits --portraits FOLDER

Pictures come in groups of one person and one film: a few at rest and the others in any expression, so that training can
offer a neutral reference. Each shard is one ``.npz``; finished shards are not made again. No picture is kept.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from smirk_core.heads.open_head import OPEN_HEAD_PATH, load_open_head

from ..data.detection import BACKENDS, Backend, PictureDetector
from ..data.expressions import sample_expressions, sample_neutral
from ..data.renders import Photograph, Sitter, head_turn, photograph

__all__ = ["NEUTRALS", "PER_GROUP", "Recipe", "make_shard", "shard_path"]

Floats = npt.NDArray[np.floating[Any]]
PER_GROUP = 10
NEUTRALS = 2
GROUPS_PER_SHARD = 25
_TASK_SHARE = 0.25  # of the groups are seen by the task back end, the others by FaceMesh
_Shoot = Callable[[Floats, Floats, np.random.Generator], Photograph]


@dataclass(frozen=True)
class Recipe:
    """What a run makes: ``source`` is ``renders`` or ``portraits``; ``fits`` the file of fitted portraits."""

    out: Path
    source: str
    seed: int
    size: int = 224
    fits: Path | None = None


def shard_path(recipe: Recipe, number: int) -> Path:
    return recipe.out / f"{recipe.source}_{recipe.seed:03d}_{number:05d}.npz"


def _person_number(name: str) -> int:
    """A number that belongs to a person: the same in every run and every folder."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big") >> 1


class _Studio:
    """Everything that one process needs, built once."""

    def __init__(self, recipe: Recipe) -> None:
        self.recipe, self.model = recipe, load_open_head(OPEN_HEAD_PATH)
        self.detectors: dict[Backend, PictureDetector] = {b: PictureDetector(b) for b in BACKENDS}
        self.gallery: Any = None
        if recipe.source == "portraits":
            from ..data.gallery import Gallery

            if recipe.fits is None:
                raise ValueError("portraits need a file of fits")
            self.gallery = Gallery.load(recipe.fits, self.model)

    def sitter(self, group: int, rng: np.random.Generator) -> tuple[_Shoot, int]:
        """Somebody to photograph, and their number."""
        if self.gallery is None:
            person = Sitter.random(self.model, rng)

            def render(weights: Floats, turn: Floats, rng: np.random.Generator) -> Photograph:
                return photograph(self.model, person, weights, turn, rng, self.recipe.size)

            return render, _person_number(f"render/{self.recipe.seed}/{group}")
        from ..data.portraits import repose

        portrait, name = self.gallery.pick(rng)

        def dress(weights: Floats, turn: Floats, rng: np.random.Generator) -> Photograph:
            return repose(self.model, portrait, weights, turn, rng, self.recipe.size)

        return dress, _person_number(name)

    def turn(self, rng: np.random.Generator) -> Floats:
        if self.gallery is not None:  # photos turn little before they tear
            wide = rng.random() < 0.35
            return head_turn(rng, 28 if wide else 12, 10 if wide else 5, 6)
        wide = rng.random() < 0.5
        return head_turn(rng, 45 if wide else 20, 20 if wide else 10, 7)


_studio: _Studio | None = None


def make_shard(recipe: Recipe, number: int) -> tuple[int, int, float]:
    """Make one shard; returns its number, pictures with a face, seconds."""
    global _studio  # one studio for the life of a worker process
    started = time.perf_counter()
    if _studio is None or _studio.recipe != recipe:
        _studio = _Studio(recipe)
    studio = _studio
    columns: dict[str, list[Any]] = {k: [] for k in ("landmarks", "weights", "turn", "group", "person", "rest", "task")}
    for group in range(number * GROUPS_PER_SHARD, (number + 1) * GROUPS_PER_SHARD):
        rng = np.random.default_rng([recipe.seed, group, len(recipe.source)])
        backend = BACKENDS[int(rng.random() < _TASK_SHARE)]
        shoot, person = studio.sitter(group, rng)
        performance = np.concatenate([sample_neutral(rng, NEUTRALS), sample_expressions(rng, PER_GROUP - NEUTRALS)])
        for i, weights in enumerate(performance):
            rest = i < NEUTRALS
            turn = head_turn(rng, 15, 8, 4) if rest else studio.turn(rng)
            shot = shoot(weights, turn, rng)
            found = studio.detectors[backend](shot.picture)
            if found is None or _elsewhere(found, shot.mesh):
                continue
            row = (found, weights, shot.groups["rotation"][0], group, person, rest, backend == "task")
            for column, value in zip(columns.values(), row, strict=True):
                column.append(value)
    path = shard_path(recipe, number)
    arrays = {k: np.array(v) for k, v in columns.items()}
    arrays["landmarks"] = arrays["landmarks"].astype(np.float32)
    arrays["weights"] = arrays["weights"].astype(np.float16)
    with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as file:
        np.savez(file, **arrays)
    Path(file.name).replace(path)
    return number, len(columns["group"]), time.perf_counter() - started


def _elsewhere(found: Floats, mesh: Floats) -> bool:
    """The detector took something else for the face."""
    middle, extent = np.median(mesh[:, :2], axis=0), np.ptp(mesh[:, 1])
    return bool(np.linalg.norm(found[:, :2].mean(0) - middle) > 0.5 * extent)


def main() -> None:
    parser = argparse.ArgumentParser(description="Generate training data for the model of the detector.")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--count", type=int, default=20000, help="pictures (rounded up to whole shards)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--source", choices=("renders", "portraits"), default="renders")
    parser.add_argument("--portraits", type=Path, default=None, help="folder of portraits that may be trained on")
    parser.add_argument(
        "--prior", type=Path, default=None, help="earlier model of the detector, for the portraits' fits"
    )
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    fits = None
    if options.source == "portraits":
        from ..data.gallery import fit_gallery

        if options.portraits is None:
            parser.error("--source portraits needs --portraits FOLDER")
        fits = options.out / "portrait_fits.npz"
        if not fits.exists():
            fit_gallery(options.portraits, fits, options.processes, options.prior)
    recipe = Recipe(options.out, options.source, options.seed, options.size, fits)
    shards = -(-options.count // (GROUPS_PER_SHARD * PER_GROUP))
    missing = [n for n in range(shards) if not shard_path(recipe, n).exists()]
    print(f"{shards} shards, {shards - len(missing)} already there", flush=True)
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    started, made = time.perf_counter(), 0
    with ProcessPoolExecutor(options.processes) as pool:
        jobs = [pool.submit(make_shard, recipe, n) for n in missing]
        for job in as_completed(jobs):
            number, count, seconds = job.result()
            made += count
            rate = made / (time.perf_counter() - started)
            print(f"shard {number}: {count} pictures in {seconds:.1f} s; {rate:.1f} a second in all", flush=True)


if __name__ == "__main__":
    main()
