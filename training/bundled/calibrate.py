# SPDX-License-Identifier: Apache-2.0
"""Rest and gain of each number of the face groups: what squared error shrinks is stretched, what it leaves is cut off.

    python -m training.bundled.calibrate RUN --bank HELD_OUT -o CALIBRATION.json

An estimate below ``rest`` counts as nothing, one above is stretched by ``gain``: value = (estimate - rest) gain. Rest
is a high percentile of the estimates where the truth is zero; gain brings the slope over active faces to one, within
limits, since what is hardly seen would become noise.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from smirk_core.errors import SmirkError
from smirk_core.export.atomic import atomic
from smirk_core.heads.library import load_head

from ..data.bank import Bank
from ..data.dice import Dice
from .answers import FACE_GROUPS, Answers
from .train import load_network
from .views import Views

__all__ = ["Calibration", "calibrate", "main"]

Array = npt.NDArray[Any]
_LARGEST_GAIN = 2.0
_STILL = 0.02


@dataclass(frozen=True)
class Calibration:
    """Per face group (size,) float64: ``rest`` and ``gain``."""

    rest: Mapping[str, Array]
    gain: Mapping[str, Array]

    @staticmethod
    def none(answers: Answers) -> Calibration:
        """Changes nothing."""
        sizes = {n: answers.parts[n].stop - answers.parts[n].start for n in FACE_GROUPS}
        return Calibration({n: np.zeros(s) for n, s in sizes.items()}, {n: np.ones(s) for n, s in sizes.items()})

    @staticmethod
    def read(path: Path) -> Calibration:
        """From a file of :func:`main`."""
        words = json.loads(path.read_text(encoding="utf-8"))
        rest, gain = ({n: np.array(v) for n, v in words[k].items()} for k in ("rest", "gain"))
        return Calibration(rest, gain)

    def apply(self, groups: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Groups (B, size), the face groups calibrated."""
        out = dict(groups)
        for name, gain in self.gain.items():
            out[name] = (groups[name] - groups[name].new_tensor(self.rest[name])) * groups[name].new_tensor(gain)
        return out


@torch.no_grad()
def calibrate(network: torch.nn.Module, answers: Answers, bank: Bank, limit: int = 4096) -> Calibration:
    """From faces with truth that the network did not learn from."""
    rows = np.linspace(0, len(bank) - 1, min(limit, len(bank))).astype(int)
    views = Views(answers, answers.model)
    parts: list[dict[str, Tensor]] = []
    for some in np.array_split(rows, max(1, len(rows) // 64)):
        view = views(bank.images(some), bank.groups(some), Dice(0), plain=True)
        parts.append(answers.groups(network(view.image.to(memory_format=torch.channels_last)).float(), clamp=False))
    truth = bank.groups(rows)
    rest, gain = {}, {}
    for name in FACE_GROUPS:
        found = torch.cat([p[name] for p in parts]).double().numpy()
        wanted = truth[name].double().numpy()
        low, factor = np.zeros(found.shape[1]), np.ones(found.shape[1])
        for k in range(found.shape[1]):
            still = np.abs(wanted[:, k]) < _STILL * max(np.abs(wanted[:, k]).max(), 1e-6)
            signed = wanted[:, k].min() < -1e-3  # angles go both ways
            if not signed and still.sum() > 32:
                low[k] = max(float(np.quantile(found[still, k], 0.6)), 0.0)
            value = found[:, k] - low[k] if signed else np.maximum(found[:, k] - low[k], 0)
            spread = ((wanted[:, k] - wanted[:, k].mean()) ** 2).sum()
            slope = ((value - value.mean()) * (wanted[:, k] - wanted[:, k].mean())).sum() / max(spread, 1e-9)
            factor[k] = float(np.clip(1 / max(slope, 1e-3), 1.0, _LARGEST_GAIN))
        rest[name], gain[name] = low, factor
    return Calibration(rest, gain)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser("python -m training.bundled.calibrate", description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("--bank", type=Path, required=True)
    parser.add_argument("-o", "--output", type=Path, required=True)
    given = parser.parse_args(arguments)
    try:
        answers = Answers(load_head("open"))
        found = calibrate(load_network(given.run, answers), answers, Bank.open(given.bank))
        with atomic(given.output) as path:
            lists = {k: {n: v.tolist() for n, v in getattr(found, k).items()} for k in ("rest", "gain")}
            path.write_text(json.dumps(lists), encoding="utf-8")
    except SmirkError as error:
        print(f"calibrate: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
