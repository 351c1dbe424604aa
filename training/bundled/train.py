# SPDX-License-Identifier: Apache-2.0
"""Teach the teacher, or the student by it: ``python -m training.bundled.train teacher RUN --bank BANK --minutes 40``.

Resumable: the newest state in RUN is taken up again, with the minutes that it has spent; the learning rate follows the
share of the minutes, or of the faces where ``--faces`` is given and nearer. A state is written every ``--save-every``
seconds and when the run is stopped. ``--device cuda`` trains on a card; everything else is the same there.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from smirk_core.errors import SmirkError, TrainingError
from smirk_core.export.atomic import atomic
from smirk_core.heads.library import load_head

from .. import measures
from ..averaging import MovingAverage
from ..data.bank import Bank
from ..data.dice import Dice
from ..schedules import cosine
from .answers import Answers
from .networks import WIDTHS
from .objective import losses, total
from .reader import Reader
from .states import begin_from, load_network, make, read_state, widths_of
from .views import Views

__all__ = ["begin_from", "check", "load_network", "main", "make", "pick_device", "read_state", "train"]


def pick_device(name: str) -> torch.device:
    """The device called ``auto``, ``cpu``, ``cuda`` or ``mps``.

    Raises:
        TrainingError: this machine or this build of torch does not have it.
    """
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        name = next(n for n, found in there.items() if found)
    if not there.get(name, False):
        raise TrainingError(f"The device '{name}' is not there, or not in this build of torch.")
    return torch.device(name)


@torch.no_grad()
def check(network: nn.Module, answers: Answers, bank: Bank, limit: int = 1024) -> dict[str, float]:
    """Figures on held-out people: correlations of ARKit's weights, errors in mm and of places in % of the crop."""
    rows = np.linspace(0, len(bank) - 1, min(limit, len(bank))).astype(int)
    views = Views(answers, answers.model)
    found, wanted, places = [], [], []
    for some in np.array_split(rows, max(1, len(rows) // 64)):
        groups = {n: v.to(answers.device) for n, v in bank.groups(some).items()}
        view = views(bank.images(some).to(answers.device), groups, Dice(0, answers.device), plain=True)
        with torch.autocast(answers.device.type, torch.bfloat16):
            answer = network(view.image.to(memory_format=torch.channels_last)).float()
        found.append(answers.arkit(answers.groups(answer)))
        wanted.append(answers.arkit(groups))
        places.append((answers.places(answer) - view.places).norm(dim=-1).mean(1).cpu().numpy())
    a, b = np.concatenate(found), np.concatenate(wanted)
    still = [not n.startswith("eyeLook") for n in _names()]
    r = [measures.correlation(a[:, k], b[:, k]) for k in range(a.shape[1])]
    s = [measures.slope(a[:, k], b[:, k]) for k in range(a.shape[1])]
    return {
        "pooled": measures.correlation(a.ravel(), b.ravel()),
        "pooled_still": measures.correlation(a[:, still].ravel(), b[:, still].ravel()),
        "mean_r": float(np.nanmean(r)), "mean_slope": float(np.nanmean(s)),
        "places_percent": 50 * float(np.concatenate(places).mean()),
    } | {f"r_{n}": float(r[_names().index(n)]) for n in _SHOWN}  # fmt: skip


_SHOWN = ("jawOpen", "mouthSmileLeft", "browDownLeft", "browInnerUp", "eyeBlinkLeft", "mouthFrownLeft", "mouthPucker",
          "mouthFunnel", "jawLeft", "noseSneerLeft", "cheekPuff")  # fmt: skip


def _names() -> tuple[str, ...]:
    from smirk_core.heads.parameters import ARKIT_NAMES

    return tuple(ARKIT_NAMES)


def train(
    kind: str, run: Path, folder: Path, *, minutes: float, held_out: Path | None = None, teacher: Path | None = None,
    batch: int = 64, rate: float = 1.5e-3, floor: float = 0.02, seed: int = 0, shape_every: int = 3,
    save_every: float = 300.0, stop_after: float = 1e9, only: str = "",
    depth: tuple[int, ...] = (1, 1, 2), widths: tuple[int, ...] = WIDTHS, start: Path | None = None,
    faces: int = 0, device: str = "cpu",
) -> dict[str, float]:  # fmt: skip
    """Train until ``minutes`` are spent in all, or ``stop_after`` minutes of this call.

    Args:
        kind: "teacher" or "student".
        run: folder of the state and ``log.jsonl``.
        folder: bank to learn from; shards that appear later are used too.
        held_out: bank of other people for figures.
        teacher: run whose answers the student also learns.
        shape_every: the student's identity network learns from every so manieth batch only; it takes as long as the
            expression network and says less.
        only: keep to one source of the bank.
        depth, widths: residual blocks and channels of the teacher at each size; a run that goes on keeps its own.
        start: run to begin from, which may be less deep.
        faces: end when so many were seen, even if there are minutes left; 0 for no such end.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.

    Raises:
        TrainingError: something cannot be read or does not fit.
    """
    model = load_head("open")
    where = pick_device(device)
    answers = Answers(model, where)
    run.mkdir(parents=True, exist_ok=True)
    state = read_state(run)
    read = Reader(folder, batch, seed=seed, device=where, only=only)
    size = read.bank.size
    torch.manual_seed(seed)
    if state is not None:
        depth, widths = tuple(state["depth"]), widths_of(state)
    network = make(kind, answers, size, depth, widths)
    network = network.to(where, memory_format=torch.channels_last)  # type: ignore[call-overload]
    if state is not None:
        network.load_state_dict(state["network"])
    elif start is not None:
        begin_from(network, start)
    decayed = [p for p in network.parameters() if p.ndim > 1]
    plain = [p for p in network.parameters() if p.ndim <= 1]
    optimiser = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": 0.02}, {"params": plain, "weight_decay": 0.0}], lr=rate, betas=(0.9, 0.98)
    )
    average = MovingAverage(network, 0.998)
    step, spent, seen = 0, 0.0, 0
    if state is not None:
        optimiser.load_state_dict(state["optimiser"])
        average.load_state_dict(state["average"])
        step, spent, seen = state["step"], state["spent"], state["seen"]
    master = load_network(teacher, answers) if teacher else None
    views = Views(answers, model)
    figures: dict[str, float] = {}

    def save() -> None:
        with atomic(run / "state.pt") as path:
            torch.save(
                {"kind": kind, "size": size, "depth": list(depth), "widths": list(widths),
                 "network": network.state_dict(), "optimiser": optimiser.state_dict(), "average": average.state_dict(),
                 "step": step, "spent": spent, "seen": seen}, path,
            )  # fmt: skip

    def report(named: dict[str, float]) -> None:
        with (run / "log.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": step, "minutes": round(spent / 60, 2), "faces": seen} | named) + "\n")
        words = " ".join(f"{k} {v:.3f}" for k, v in named.items())
        print(f"{step} {spent / 60:.1f} min {seen:,} faces {words}", flush=True)

    network.train()
    started = last = saved = time.monotonic()
    sums: dict[str, Tensor] = {}
    count = 0
    try:
        while spent < 60 * minutes and (not faces or seen < faces) and last - started < 60 * stop_after:
            pictures, groups = read(step)
            view = views(pictures, groups, Dice(seed * 1_000_003 + step, where))
            image = view.image.to(memory_format=torch.channels_last)
            taught = None
            share = max(spent / (60 * minutes), seen / faces if faces else 0.0)
            for group in optimiser.param_groups:
                group["lr"] = rate * cosine(min(int(1e4 * share), 10_000), 10_000, floor)
                group["lr"] *= min(1.0, (step + 1) / 200)
            with torch.autocast(where.type, torch.bfloat16):
                if master is not None:
                    with torch.no_grad():
                        taught = master(image)
                if kind == "student":
                    shaped = step % shape_every == 0
                    branches = None if shaped else ("pose_encoder", "expression_encoder")
                    answer = network(image, branches)
                else:
                    shaped, answer = True, network(image)
            named = losses(answers, answer.float(), view, taught)
            if not shaped:
                named.pop("identity")
            loss = total(named)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 2.0)
            optimiser.step()
            average.update(network)
            for name, value in named.items():
                sums[name] = sums[name] + value.detach() if name in sums else value.detach()
            count += 1
            step, seen = step + 1, seen + batch
            now = time.monotonic()
            spent, last = spent + now - last, now
            if step % 200 == 0:
                report(
                    {k: float(v) / count for k, v in sums.items()} | {"rate": optimiser.param_groups[0]["lr"] * 1000}
                )
                sums, count = {}, 0
            if now - saved > save_every:
                save()
                if held_out is not None and any(held_out.glob("*.json")):
                    kept = {k: v.clone() for k, v in network.state_dict().items()}
                    network.load_state_dict(average.values)
                    figures = check(network.eval(), answers, Bank.open(held_out))
                    network.load_state_dict(kept)
                    network.train()
                    report(figures)
                saved = last = time.monotonic()
    except KeyboardInterrupt:
        print("Stopped; the state is kept.", flush=True)
    finally:
        read.close()
    save()
    if held_out is not None:
        network.load_state_dict(average.values)
        figures = check(network.eval(), answers, Bank.open(held_out), 4096)
        report(figures)
    return figures


def _numbers(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(n) for n in text.split(","))
    except ValueError:
        raise TrainingError(f"'{text}' are no whole numbers; write them as 1,2,3.") from None


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser("python -m training.bundled.train", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("kind", choices=("teacher", "student"))
    parser.add_argument("run", type=Path)
    parser.add_argument("--bank", type=Path, required=True)
    parser.add_argument("--held-out", type=Path)
    parser.add_argument("--teacher", type=Path)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--stop-after", type=float, default=1e9, help="minutes of this call")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--rate", type=float, default=1.5e-3)
    parser.add_argument("--save-every", type=float, default=300)
    parser.add_argument("--only", default="", help="one source of the bank")
    parser.add_argument("--depth", default="1,1,2", help="residual blocks of a new teacher at each size")
    parser.add_argument("--widths", default=",".join(map(str, WIDTHS)), help="channels of a new teacher at each size")
    parser.add_argument("--faces", type=int, default=0, help="end when so many were seen")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda", "mps"), default="cpu")
    parser.add_argument("--from", dest="start", type=Path, help="run whose weights a new one begins with")
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args(arguments)
    torch.set_num_threads(given.threads)
    try:
        train(
            given.kind, given.run, given.bank, minutes=given.minutes, held_out=given.held_out, teacher=given.teacher,
            batch=given.batch, rate=given.rate, save_every=given.save_every, stop_after=given.stop_after,
            only=given.only, depth=_numbers(given.depth), widths=_numbers(given.widths), start=given.start,
            faces=given.faces, device=given.device,
        )  # fmt: skip
    except SmirkError as error:
        print(f"train: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
