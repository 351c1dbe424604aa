# SPDX-License-Identifier: Apache-2.0
"""A training run: batches in, checkpoints out; it can be stopped at any time and goes on as if it had not been.

Lightning Fabric starts the processes, knows their devices and adds up over them; who learns what in a step is
:class:`smirk_core.neural.alternation.Alternation`'s business.
"""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from smirk_core.errors import TrainingError
from smirk_core.export.atomic import atomic
from smirk_core.neural.alternation import Alternation, StepResult
from smirk_core.neural.paths import Batch

from . import checkpoints
from .averaging import MovingAverage, average_buffers, average_gradients
from .build import build_optimisers, build_paths, encoder_picture_losses, picture_losses, recogniser
from .config import Config
from .data.source import Request, open_source
from .held_out import look
from .schedules import cosine
from .watch import Diary, draw_curves, grid, read_diary, summary

__all__ = ["Trainer", "launch", "train"]


def launch(config: Config) -> Any:
    """Fabric with the processes of the settings; under torchrun it joins those that are there.

    Raises:
        TrainingError: Lightning Fabric is not installed, or the device is not there.
    """
    try:
        from lightning_fabric import Fabric
    except ImportError as error:
        raise TrainingError(
            "Training needs Lightning Fabric; install it with: pip install 'smirk-blender[train]'."
        ) from error
    run = config.run
    device = run.device
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not there[device]:
        raise TrainingError(f"run.device is {device}, which this machine or this build of torch does not have.")
    fabric = Fabric(
        accelerator="gpu" if device == "cuda" else device,
        devices=run.devices,
        num_nodes=run.nodes,
        strategy="ddp" if run.devices * run.nodes > 1 else "auto",
        precision=run.precision,
    )
    fabric.launch()
    return fabric


class Trainer:
    """Everything of a run that changes while it learns; :meth:`state` is all of it.

    Args:
        config: the settings.
        fabric: of :func:`launch`.
    """

    def __init__(self, config: Config, fabric: Any) -> None:
        self.config, self.fabric, self.step, self.skipped, self.damaged = config, fabric, 0, 0, 0
        if config.run.threads:
            torch.set_num_threads(config.run.threads)
        _seed(config.run.seed)  # all processes begin with the same weights
        self.paths = build_paths(config).to(fabric.device)
        if config.run.channels_last:
            for part in (self.paths.encoder, self.paths.generator):
                if part is not None:
                    part.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.paths.train()
        optimisers = build_optimisers(self.paths, config.optimiser)
        decay = config.optimiser.ema
        self.average = MovingAverage(self.paths.encoder, decay) if decay else None
        _seed(config.run.seed + 7919 * fabric.global_rank)
        dice = torch.Generator(fabric.device).manual_seed(torch.initial_seed() + 1)
        self.learn = Alternation(
            self.paths, *optimisers, {}, clip=config.optimiser.clip_cycle, random=dice,
            picture_losses=picture_losses(config.losses, fabric.device, config.model.faithful)
            if self.paths.generator is not None else {},
            encoder_picture_losses=encoder_picture_losses(config.losses, fabric.device)
            if self.paths.generator is not None else {},
            recogniser=recogniser(config, self.paths.face.model, fabric.device),
        )  # fmt: skip
        if fabric.world_size > 1:
            self.learn.share = lambda parameters: average_gradients(parameters, self._mean)
        if config.run.compile:
            self.paths.encoder.compile()
            if self.paths.generator is not None:
                self.paths.generator.compile()

    def _mean(self, values: torch.Tensor) -> torch.Tensor:
        return self.fabric.all_reduce(values, reduce_op="mean")

    def __call__(self, batch: Batch) -> StepResult:
        """One step."""
        config, share = self.config, self.step / self.config.run.steps
        self.learn.weights = {k: ramp.at(share) for k, ramp in config.losses.weights.items()}
        self._rates()
        bad = int((~torch.isfinite(batch.image)).flatten(1).any(1).sum())
        image = batch.image.nan_to_num(0, 0, 0) if bad else batch.image  # else batch statistics would be lost for good
        layout = torch.channels_last if config.run.channels_last else torch.contiguous_format
        batch = replace(batch, image=image.contiguous(memory_format=layout))
        with self.fabric.autocast():
            result = self.learn(batch, self.step)
        if self.average is not None:
            self.average.update(self.paths.encoder)
        self.step += 1
        self.skipped += len(result.skipped)
        self.damaged += bad
        return result

    def _rates(self) -> None:
        settings = self.config.optimiser
        share = cosine(self.step, self.config.run.steps, settings.floor, settings.warmup, settings.restart_every)
        pairs = (
            (self.learn.encoder_optimiser, settings.encoder_rate),
            (self.learn.generator_optimiser, settings.generator_rate),
        )
        for optimiser, rate in pairs:
            for group in optimiser.param_groups if optimiser is not None else ():
                group["lr"] = rate * share
        restart = settings.restart_every and self.step and self.step % settings.restart_every == 0
        if restart and self.config.model.faithful and self.learn.generator_optimiser is not None:
            self.learn.generator_optimiser.state.clear()  # specification, section 9, defect 5

    def state(self) -> dict[str, Any]:
        """All that a run needs to go on; of several processes each has its own random numbers. All must call it."""
        learn, paths = self.learn, self.paths
        if self.fabric.world_size > 1:
            average_buffers(paths, self._mean)
        mine = {
            "torch": torch.get_rng_state(),
            "dice": learn.random.get_state() if learn.random is not None else None,
            "cuda": torch.cuda.get_rng_state() if self.fabric.device.type == "cuda" else None,
            "numpy": _plain(np.random.get_state(legacy=False)),  # noqa: NPY002 - others may use it
            "python": _plain(random.getstate()),
        }
        everyone = [mine]
        if self.fabric.world_size > 1:
            everyone = [None] * self.fabric.world_size
            torch.distributed.all_gather_object(everyone, mine)
        optimisers = {"encoder": learn.encoder_optimiser, "generator": learn.generator_optimiser}
        return {
            "step": self.step,
            "skipped": self.skipped,
            "damaged": self.damaged,
            "encoder": paths.encoder.state_dict(),
            "generator": paths.generator.state_dict() if paths.generator is not None else {},
            "optimisers": {k: o.state_dict() for k, o in optimisers.items() if o is not None},
            "average": self.average.state_dict() if self.average is not None else {},
            "random": everyone,
            "head": paths.face.model.name,
            "head_digest": paths.face.model.digest,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from :meth:`state`.

        Raises:
            TrainingError: it belongs to other networks or another head.
        """
        if state["head_digest"] != self.paths.face.model.digest:
            raise TrainingError(f"The checkpoint was trained on {state['head']}, which is not this head.")
        learn = self.learn
        try:
            self.paths.encoder.load_state_dict(state["encoder"])
            if self.paths.generator is not None:
                self.paths.generator.load_state_dict(state["generator"])
            for name, optimiser in (("encoder", learn.encoder_optimiser), ("generator", learn.generator_optimiser)):
                if optimiser is not None:
                    optimiser.load_state_dict(state["optimisers"][name])
            if self.average is not None:
                self.average.load_state_dict(state["average"])
        except (RuntimeError, KeyError, ValueError) as error:
            raise TrainingError(
                f"The checkpoint does not fit these settings ({' '.join(str(error).split())[:160]}); start a new run "
                "in another folder, with model.start to begin with its weights."
            ) from error
        self.step, self.skipped, self.damaged = (int(state.get(k, 0)) for k in ("step", "skipped", "damaged"))
        mine = state["random"][self.fabric.global_rank] if self.fabric.global_rank < len(state["random"]) else None
        if mine is None:
            return  # more processes than before: new ones throw their own dice
        torch.set_rng_state(mine["torch"].cpu())
        if learn.random is not None and mine["dice"] is not None:
            learn.random.set_state(mine["dice"].cpu())
        if mine["cuda"] is not None and self.fabric.device.type == "cuda":
            torch.cuda.set_rng_state(mine["cuda"].cpu())
        random.setstate(_tuples(mine["python"]))
        numpy = dict(mine["numpy"])
        numpy["state"] = {**numpy["state"], "key": np.array(numpy["state"]["key"], np.uint32)}
        np.random.set_state(numpy)  # noqa: NPY002


def train(
    config: Config, folder: Path, *, resume: str = "auto", max_minutes: float = 0.0, fabric: Any = None
) -> Trainer:
    """Learn until the last step, the last minute or a signal to stop; then save and say how it went.

    Args:
        config: the settings.
        folder: of the run: checkpoints, diary, pictures, summary.
        resume: ``auto`` to go on with the newest checkpoint if there is one, ``none`` for a new run in an empty
            folder, or the path of a checkpoint.
        max_minutes: stop after that long, saving included; 0 for no limit.
        fabric: already launched, or None.

    Raises:
        TrainingError: settings, data or checkpoint do not fit together.
    """
    start = time.monotonic()
    fabric = fabric or launch(config)
    found = _checkpoint(folder, resume)
    trainer = Trainer(config, fabric)
    if found is not None:
        trainer.restore(found[1])
        fabric.print(f"Going on from {found[0].name} in {folder}.")
    if trainer.step >= config.run.steps:
        fabric.print(f"The run in {folder} is complete: {trainer.step} steps.")
        return trainer
    main, begun = fabric.global_rank == 0, trainer.step
    request = Request(
        config.data.size, config.data.batch // fabric.world_size, config.run.seed, begun, fabric.global_rank,
        fabric.world_size, str(fabric.device), config.model.head,
        aligned=trainer.learn.recogniser is not None,
    )  # fmt: skip
    batches = open_source(config.data.source, request, config.data.options)
    first = next(batches)
    _fits(config, trainer, first)
    if "mica_identity" in config.losses.weights and trainer.learn.recogniser is None:
        fabric.print("MICA's identity is left out: losses.mica names no file, or the shape encoder does not learn.")
    diary = Diary(folder, begun) if main else None
    bar = _bar(begun, config.run.steps) if main else None
    saved, saving, stop, waited = begun, 0.0, "", 0.0
    learning = time.monotonic()
    with _signals() as asked:
        batch = first
        while True:
            step = trainer.step
            result = trainer(batch)
            if diary is not None and bar is not None:
                _note(trainer, diary, bar, batch, result, step, folder, learning, begun)
            stop = _stop(trainer, asked, start, max_minutes, saving)
            if trainer.step - saved >= config.run.save_every or stop:
                before, state = time.monotonic(), trainer.state()
                if main:
                    checkpoints.save(
                        folder, trainer.step, state, config, keep=config.run.keep, part_mib=config.run.part_mib
                    )
                saved, saving = trainer.step, max(saving, time.monotonic() - before)
            if stop:
                break
            before = time.monotonic()
            batch = next(batches)
            waited += time.monotonic() - before
    if diary is not None and bar is not None:
        bar.close()
        diary.close()
        seconds = time.monotonic() - learning
        _sum_up(trainer, folder, stop, begun, seconds, waited)
    return trainer


def _note(
    trainer: Trainer, diary: Diary, bar: Any, batch: Batch, result: StepResult, step: int, folder: Path,
    since: float, begun: int,
) -> None:  # fmt: skip
    run, size = trainer.config.run, trainer.config.data.batch
    speed = size * (trainer.step - begun) / max(time.monotonic() - since, 1e-9)
    bar.update(1)
    bar.set_postfix_str(f"{speed:.0f} images/s, {trainer.skipped} skipped", refresh=False)
    checked = {}
    if run.check_every and (trainer.step % run.check_every == 0 or trainer.step == run.steps):
        checked = {f"held_out_{k}": v for k, v in look(trainer).items()}
    if run.log_every and (step % run.log_every == 0 or trainer.step == run.steps or result.skipped or checked):
        rate = trainer.learn.encoder_optimiser.param_groups[0]["lr"] if trainer.learn.encoder_optimiser else 0.0
        facts = {"rate": rate, "images_per_second": speed, "skipped_steps": float(trainer.skipped)}
        diary.write(step, result.terms | facts | checked)
    if run.picture_every and (step % run.picture_every == 0 or trainer.step == run.steps):
        image = grid(trainer.paths, batch, result)
        diary.picture(step, image)
        with atomic(folder / "pictures" / f"step-{step:08}.png") as path:
            image.save(path)


def _stop(trainer: Trainer, asked: list[str], start: float, max_minutes: float, saving: float) -> str:
    """Why to stop now, or nothing; all processes give the same answer."""
    reason = 0
    if asked:
        reason = 2
    elif max_minutes:
        # a save as long as the longest so far has to fit in, and a little more
        late = time.monotonic() - start + 1.5 * saving + 2.0 > 60 * max_minutes
        reason = 1 if late else 0
    if trainer.fabric.world_size > 1:
        told = torch.tensor([float(reason)], device=trainer.fabric.device)
        others = float(trainer.fabric.all_reduce(told, reduce_op="sum").item()) > 0
        reason = max(reason, 1) if others else 0
    if trainer.step >= trainer.config.run.steps:
        return "all steps done"
    return ("", f"{max_minutes:g} minutes are over", "asked to stop")[reason]


def _sum_up(trainer: Trainer, folder: Path, stop: str, begun: int, seconds: float, waited: float) -> None:
    lines, size = read_diary(folder), trainer.config.data.batch
    facts = {
        "stopped": stop,
        "steps": f"{trainer.step} of {trainer.config.run.steps} ({trainer.step - begun} in this part)",
        "images": trainer.step * size,
        "images per second": f"{(trainer.step - begun) * size / max(seconds, 1e-9):.1f}",
        "waiting for data": f"{100 * waited / max(seconds, 1e-9):.0f} % of the time",
        "minutes in this part": f"{seconds / 60:.1f}",
        "passes not learned from (not a number)": trainer.skipped,
        "damaged pictures (not a number, seen as black)": trainer.damaged,
        "source": trainer.config.data.source,
        "head": trainer.paths.face.model.name,
        "device": str(trainer.fabric.device),
        "processes": trainer.fabric.world_size,
    }
    text = summary(lines, facts)
    with atomic(folder / "summary.txt") as path:
        path.write_text(text, encoding="utf-8")
    names = [k for k in trainer.config.losses.weights if any(line.get(k) for line in lines)]
    names += [k for k in (lines[-1] if lines else {}) if k.startswith("held_out_")][:2]
    with atomic(folder / "curves.png") as path:
        draw_curves(lines, names).save(path)
    print(text)


def _fits(config: Config, trainer: Trainer, batch: Batch) -> None:
    """The first batch has what the weighted terms need."""
    wanted = {k.removeprefix("landmarks_") for k in config.losses.weights if k.startswith("landmarks_")}
    missing = wanted - set(batch.landmarks)
    if missing:
        raise TrainingError(
            f"losses.weights has 'landmarks_{min(missing)}', but the source '{config.data.source}' gives "
            f"{', '.join(batch.landmarks) or 'no landmarks'}."
        )
    unused = wanted - set(trainer.paths.face.landmark_names)
    if unused:
        raise TrainingError(f"losses.weights has 'landmarks_{min(unused)}'; name it in model.landmarks too.")
    if trainer.learn.recogniser is not None and batch.aligned is None:
        raise TrainingError(
            f"losses.mica needs photos with landmarks, but the source '{config.data.source}' gives no aligned faces."
        )
    known = {"photometric", "mica_identity", *trainer.learn.picture_losses, *trainer.learn.encoder_picture_losses}
    known |= {f"{g}_regulariser" for g in ("expression", "jaw", "identity")}
    known |= {f"cycle_{g}" for g in ("expression", "jaw", "eyelids", "identity")}
    for name in config.losses.weights:
        if name not in known and not name.startswith(("landmarks_", "truth_")):
            raise TrainingError(f"losses.weights has '{name}'; no such term is known: {', '.join(sorted(known))}.")
    if batch.image.shape[-1] != config.data.size:
        raise TrainingError(
            f"The source gives pictures of {batch.image.shape[-1]} pixels; data.size is {config.data.size}."
        )


def _checkpoint(folder: Path, resume: str) -> tuple[Path, dict[str, Any], Config] | None:
    if resume == "auto":
        return checkpoints.latest(folder)
    if resume == "none":
        if checkpoints.checkpoints(folder):
            raise TrainingError(f"There is a run in {folder} already; give another folder, or --resume auto.")
        return None
    path = Path(resume)
    return path, *checkpoints.load(path)


@contextmanager
def _signals() -> Iterator[list[str]]:
    """Ctrl-C and SIGTERM as names in a list, so that the step at hand is finished and saved; the second one ends."""
    asked: list[str] = []
    before = {}

    def ask(number: int, frame: Any) -> None:
        asked.append(signal.Signals(number).name)
        if len(asked) > 1:
            raise KeyboardInterrupt

    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            before[number] = signal.signal(number, ask)
    except ValueError:  # not the main thread: nobody sends it signals
        pass
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _bar(begun: int, steps: int) -> Any:
    from tqdm import tqdm

    return tqdm(total=steps, initial=begun, unit="step", mininterval=2.0)


def _seed(seed: int) -> None:
    torch.manual_seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002
    random.seed(seed)


def _plain(value: Any) -> Any:
    """Arrays and NumPy's numbers as lists and numbers, which a checkpoint may hold."""
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value


def _tuples(value: Any) -> Any:
    return tuple(_tuples(v) for v in value) if isinstance(value, list) else value
