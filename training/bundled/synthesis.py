# SPDX-License-Identifier: Apache-2.0
"""Go on with a bundled network on real photographs, by neural synthesis, while the bank goes on teaching it:

    python -m training.bundled.synthesis RUN --from TEACHER --bank BANK --faces FACES --fits FITS.npz --minutes 25

Each step takes as many photographs as faces of the bank. Photographs go through the two paths of
:mod:`smirk_core.neural.paths` with the network as their encoder: expression, lids and jaw learn by them; turn, camera,
identity, points and uncertainties by the bank alone, as do all of them until the generator has learned to paint.

Resumable, with a state like that of :mod:`training.bundled.train`, so that calibration and export read it. Minutes are
those of the processor's work, so that runs on a busy machine can be compared.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from smirk_core.errors import SmirkError, TrainingError
from smirk_core.export.atomic import atomic
from smirk_core.heads.library import load_head

from ..data.bank import Bank
from ..watch import grid
from .answers import Answers
from .states import begin_from, make, read_state, widths_of
from .synthesis_photos import Photos
from .synthesis_stage import Settings, Stage
from .train import check
from .views import Views

__all__ = ["main", "train"]


def train(
    run: Path, start: Path, folder: Path, *, faces: Path | None = None, fits: Path | None = None,
    settings: Settings | None = None, minutes: float = 25.0, steps: int = 0, stop_after: float = 1e9,
    held_out: Path | None = None, save_every: float = 300.0, picture_every: float = 240.0, limit: int | None = None,
) -> dict[str, float]:  # fmt: skip
    """Learn until ``minutes`` are spent in all, or ``stop_after`` minutes of this call.

    Args:
        run: folder of the state, ``log.jsonl`` and ``pictures/``.
        start: run of the teacher or the student whose averaged weights a new run begins with.
        folder: bank to learn from.
        faces, fits: portraits and where their faces are; needed for the synthesis.
        steps: end the run by steps instead of minutes; then it is the same to the bit, however often it is stopped.
        held_out: bank of other people for figures.
        save_every, picture_every: seconds.
        limit: read so many portraits only.

    Returns:
        Figures on ``held_out``, or {}.

    Raises:
        TrainingError: something cannot be read or does not fit.
    """
    settings = settings or Settings()
    run.mkdir(parents=True, exist_ok=True)
    state, first = read_state(run), read_state(start)
    if first is None:
        raise TrainingError(f"There is no state in {start} to begin from.")
    bank, model = Bank.open(folder), load_head("open")
    if bank.size != first["size"]:
        raise TrainingError(f"The bank's pictures have {bank.size} pixels, those of {start} {first['size']}.")
    kind: dict[str, Any] = {k: first[k] for k in ("kind", "size", "depth")} | {"widths": list(widths_of(first))}
    answers = Answers(model)

    def blank() -> nn.Module:
        network = make(kind["kind"], answers, kind["size"], tuple(kind["depth"]), tuple(kind["widths"]))
        return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    network = blank()
    begin_from(network, start)
    stage = Stage(network, answers, model, bank.size, settings)
    spent, seen = 0.0, 0
    if state is not None:
        stage.restore(state)
        spent, seen = float(state["spent"]), int(state["seen"])
    photos = None
    if settings.synthesis:
        if faces is None or fits is None:
            raise TrainingError("The synthesis needs photographs: name --faces and --fits, or say --no-synthesis.")
        photos = Photos.load(fits, faces, model, bank.size, limit)
    views, terms = Views(answers, model), dict[str, list[float]]()

    def report(named: dict[str, float]) -> None:
        line = {"step": stage.step, "minutes": round(spent / 60, 2), "faces": seen} | named
        with (run / "log.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        print(" ".join(f"{k} {v:.4g}" for k, v in line.items()), flush=True)

    def save() -> None:
        with atomic(run / "state.pt") as path:
            torch.save(kind | stage.state() | {"spent": spent, "seen": seen}, path)

    def figures() -> dict[str, float]:
        if held_out is None:
            return {}
        average = blank()
        average.load_state_dict(stage.average.values)
        found = check(average.eval(), answers, Bank.open(held_out), 4096)
        report(found)
        return found

    def share() -> float:
        return stage.step / steps if steps else spent / (60 * minutes)

    began = last = time.thread_time()
    saved = pictured = time.monotonic()
    shown = None
    try:
        while share() < 1 and last - began < 60 * stop_after:
            named, photographs = stage(photos, bank, views, share())
            seen += settings.batch * (1 if photographs is None else 2)
            if photographs is not None and (photographs[1].changed is not None or not settings.cycle):
                shown = photographs
            for name, value in named.items():
                terms.setdefault(name, []).append(value)
            now = time.thread_time()
            spent, last = spent + now - last, now
            if stage.step % 100 == 0:
                rate = stage.optimiser.param_groups[0]["lr"]
                report({n: float(np.mean(v)) for n, v in terms.items()} | {"rate": 1000 * rate})
                terms.clear()
            if shown is not None and time.monotonic() - pictured > picture_every:
                _picture(stage, run, shown)
                pictured = time.monotonic()
            if time.monotonic() - saved > save_every:
                save()
                figures()
                saved = time.monotonic()
            last = time.thread_time()
    except KeyboardInterrupt:
        print("Stopped; the state is kept.", flush=True)
    save()
    if shown is not None:
        _picture(stage, run, shown)
    return figures()


def _picture(stage: Stage, run: Path, shown: Any) -> None:
    """A row a face: photo, mesh, what the generator may see, its picture; the same with another expression."""
    folder = run / "pictures"
    folder.mkdir(exist_ok=True)
    image = grid(stage.paths, *shown, rows=8)
    with atomic(folder / f"step-{stage.step:06}.png") as path:
        image.save(path)


def main(arguments: Sequence[str] | None = None) -> int:
    usual = Settings()
    parser = argparse.ArgumentParser(
        "python -m training.bundled.synthesis", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("run", type=Path)
    parser.add_argument(
        "--from", dest="start", type=Path, required=True, help="run whose averaged weights it begins with"
    )
    parser.add_argument("--bank", type=Path, required=True)
    parser.add_argument("--faces", type=Path, help="folder of portraits")
    parser.add_argument("--fits", type=Path, help="of training.data.fit_portraits")
    parser.add_argument("--held-out", type=Path, help="bank of other people, for figures")
    parser.add_argument("--minutes", type=float, default=25, help="of the processor's work, in all")
    parser.add_argument("--steps", type=int, default=0, help="instead of minutes")
    parser.add_argument("--stop-after", type=float, default=1e9, help="minutes of this call")
    parser.add_argument("--save-every", type=float, default=300)
    parser.add_argument("--no-cycle", action="store_true", help="reconstruction alone")
    parser.add_argument("--no-synthesis", action="store_true", help="the bank alone")
    parser.add_argument("--batch", type=int, default=usual.batch, help="photographs a step, and faces of the bank")
    parser.add_argument("--rate", type=float, default=usual.rate)
    parser.add_argument("--cycle-every", type=int, default=usual.cycle_every)
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args(arguments)
    torch.set_num_threads(given.threads)
    settings = Settings(
        batch=given.batch, rate=given.rate, cycle_every=max(given.cycle_every, 1), cycle=not given.no_cycle,
        synthesis=not given.no_synthesis,
    )  # fmt: skip
    try:
        train(
            given.run, given.start, given.bank, faces=given.faces, fits=given.fits, settings=settings,
            minutes=given.minutes, steps=given.steps, stop_after=given.stop_after, held_out=given.held_out,
            save_every=given.save_every,
        )  # fmt: skip
    except SmirkError as error:
        print(f"synthesis: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
