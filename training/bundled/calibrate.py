# SPDX-License-Identifier: Apache-2.0
"""Rest and gain of each number of the face groups: what squared error shrinks is stretched, what it leaves is cut off.

    python -m training.bundled.calibrate RUN --bank BANK [--fits FITS.npz --faces FACES] -o CALIBRATION.json

An estimate below ``rest`` counts as nothing, one above is stretched by ``gain``: value = (estimate - rest) gain. Rest
is a high percentile of the estimates where the truth is zero; gain brings the slope over active faces to one, within
limits, since what is hardly seen would become noise. Photographs as they are, of people that their fits found at rest,
say what the drawn ones cannot: what is read into real faces that do nothing.

Uncertainties are drawn towards what is typical of each number: where two estimates are weighed, the one that sees
nothing and says a confident zero must not outweigh the one that sees something.
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
from torch.nn.functional import interpolate

from smirk_core.errors import SmirkError
from smirk_core.export.atomic import atomic
from smirk_core.heads.library import load_head

from ..data.album import ALBUM_SCALE, Album
from ..data.bank import Bank
from ..data.dice import Dice
from ..data.mirror import Mirror
from .answers import FACE_GROUPS, Answers
from .both_ways import BothWays
from .networks import Teacher
from .train import load_network
from .views import Views

__all__ = ["OWN", "Calibration", "calibrate", "calm_photos", "main"]

Array = npt.NDArray[Any]
# Of what is seen well; what is hardly seen is left small. Expressions twice as large as they are seen would also be
# twice as large where there are none, and gaze would tremble; a face at rest has no sideways jaw that could grow.
_LARGEST_GAIN = {"expression": 1.4, "eyelids": 1.4, "jaw": 2.0, "eyes": 1.2}
OWN = 0.35  # how much of a face's own uncertainty is kept, of its logarithm
_STILL = 0.02
_CALM = 0.6  # sum of the weights of a portrait that counts as being at rest
_QUIET = 0.85  # of the people at rest, how many shall be read as doing nothing
_KEYS = ("rest", "gain", "typical", "said")


@dataclass(frozen=True)
class Calibration:
    """Per face group (size,) float64.

    Attributes:
        rest, gain: of the estimates.
        typical: logarithm of the error that is left after calibration, in real units; {} leaves uncertainties alone.
        said: mean logarithm of what the network says of its error, in units of spread.
    """

    rest: Mapping[str, Array]
    gain: Mapping[str, Array]
    typical: Mapping[str, Array]
    said: Mapping[str, Array]

    @staticmethod
    def none(answers: Answers) -> Calibration:
        """Changes nothing."""
        sizes = {n: answers.parts[n].stop - answers.parts[n].start for n in FACE_GROUPS}
        return Calibration(
            {n: np.zeros(s) for n, s in sizes.items()}, {n: np.ones(s) for n, s in sizes.items()}, {}, {}
        )

    @staticmethod
    def read(path: Path) -> Calibration:
        """From a file of :func:`main`."""
        words = json.loads(path.read_text(encoding="utf-8"))
        return Calibration(*({n: np.array(v) for n, v in words[k].items()} for k in _KEYS))

    def apply(self, groups: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Groups (B, size), the face groups calibrated."""
        out = dict(groups)
        for name, gain in self.gain.items():
            out[name] = (groups[name] - groups[name].new_tensor(self.rest[name])) * groups[name].new_tensor(gain)
        return out


@torch.no_grad()
def calibrate(
    network: torch.nn.Module, answers: Answers, bank: Bank, limit: int = 4096, calm: Tensor | None = None
) -> Calibration:
    """From faces with truth, and ``calm`` (N, 3, S, S) uint8 photographs of faces at rest."""
    rows = np.linspace(0, len(bank) - 1, min(limit, len(bank))).astype(int)
    views = Views(answers, answers.model)
    parts: list[dict[str, Tensor]] = []
    stated: list[Tensor] = []
    for some in np.array_split(rows, max(1, len(rows) // 64)):
        view = views(bank.images(some), bank.groups(some), Dice(0), plain=True)
        answer = network(view.image.to(memory_format=torch.channels_last)).float()
        parts.append(answers.groups(answer, clamp=False))
        stated.append(answer[:, answers.parts["face_sigma"].columns])
    truth = bank.groups(rows)
    resting: dict[str, Tensor] = {}
    if calm is not None:
        said_of_calm = [network((c.float() / 255).to(memory_format=torch.channels_last)) for c in calm.split(64)]
        resting = answers.groups(torch.cat(said_of_calm).float(), clamp=False)
    rest, gain, typical, said, at = {}, {}, {}, {}, 0
    own = torch.cat(stated).double().numpy()
    for name in FACE_GROUPS:
        found = torch.cat([p[name] for p in parts]).double().numpy()
        wanted = truth[name].double().numpy()
        low, factor = np.zeros(found.shape[1]), np.ones(found.shape[1])
        for k in range(found.shape[1]):
            still = np.abs(wanted[:, k]) < _STILL * max(np.abs(wanted[:, k]).max(), 1e-6)
            signed = wanted[:, k].min() < -1e-3  # angles go both ways
            if not signed and still.sum() > 32:
                low[k] = max(float(np.quantile(found[still, k], 0.4)), 0.0)
                if resting:
                    calmest = resting[name][:, k].double().numpy()
                    low[k] = max(low[k], float(np.quantile(calmest, _QUIET)))
            value = found[:, k] - low[k] if signed else np.maximum(found[:, k] - low[k], 0)
            spread = ((wanted[:, k] - wanted[:, k].mean()) ** 2).sum()
            slope = ((value - value.mean()) * (wanted[:, k] - wanted[:, k].mean())).sum() / max(spread, 1e-9)
            seen = np.corrcoef(value, wanted[:, k])[0, 1] if spread > 1e-9 and value.std() > 1e-9 else 0.0
            most = 1 + (_LARGEST_GAIN[name] - 1) * float(np.clip((seen - 0.3) / 0.4, 0, 1))
            factor[k] = float(np.clip(1 / max(slope, 1e-3), 1.0, most))
        rest[name], gain[name] = low, factor
        corrected = (found - low) * factor
        if name in ("expression", "eyelids"):
            corrected = corrected.clip(0, 1)
        typical[name] = 0.5 * np.log(((corrected - wanted) ** 2).mean(0).clip(1e-8))
        said[name] = own[:, at : at + found.shape[1]].mean(0)
        at += found.shape[1]
    return Calibration(*(_symmetric(answers, v) for v in (rest, gain, typical, said)))


def _symmetric(answers: Answers, values: Mapping[str, Array]) -> dict[str, Array]:
    """The same for both sides of a face: which side a number speaks of must not change what it is worth."""
    mirror = Mirror.of(answers.model)
    other = mirror.truth({n: torch.from_numpy(v)[None] for n, v in values.items()})
    signs = mirror.truth({n: torch.ones(1, len(v)) for n, v in values.items()})
    return {n: (v + (other[n] * signs[n])[0].numpy()) / 2 for n, v in values.items()}


def calm_photos(fits: Path, faces: Path, answers: Answers, size: int, crop_scale: float) -> Tensor:
    """(N, 3, size, size) uint8: crops of portraits that the fits found at rest, half of them mirrored.

    Raises:
        TrainingError: fits or pictures cannot be used.
    """
    album = Album.load(fits, faces, answers.model, size, scale=crop_scale)
    lively = album.groups["expression"].clamp_min(0).sum(1) + 3 * album.groups["jaw"].norm(dim=1)
    pictures = album.pictures[lively < _CALM]
    side = min(round(pictures.shape[-1] * crop_scale / ALBUM_SCALE), pictures.shape[-1])
    margin = (pictures.shape[-1] - side) // 2
    pictures = pictures[..., margin : margin + side, margin : margin + side]
    if side != size:
        small = [interpolate(p.float(), size=(size, size), mode="area" if side > size else "bilinear")
                 for p in pictures.split(64)]  # fmt: skip
        pictures = torch.cat([s.add(0.5).to(torch.uint8) for s in small])
    return torch.cat([pictures[::2], pictures[1::2].flip(-1)])


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        "python -m training.bundled.calibrate", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("run", type=Path)
    parser.add_argument("--bank", type=Path, required=True)
    parser.add_argument("--fits", type=Path, help="of training.data.fit_portraits, for photographs at rest")
    parser.add_argument("--faces", type=Path, help="the folder that the fits were made from")
    parser.add_argument("--beside", type=Path, help="bank with room around the heads, to weigh against landmarks on")
    parser.add_argument("--crop-scale", type=float, default=1.1, help="as given to the export")
    parser.add_argument("-o", "--output", type=Path, required=True)
    given = parser.parse_args(arguments)
    try:
        answers = Answers(load_head("open"))
        bank = Bank.open(given.bank)
        calm = None
        if given.fits and given.faces:
            calm = calm_photos(given.fits, given.faces, answers, bank.size, given.crop_scale)
        network = load_network(given.run, answers)
        network = BothWays(network, answers) if isinstance(network, Teacher) else network  # as it will be asked
        found = calibrate(network, answers, bank, calm=calm)
        if given.beside:
            from .beside import beside_landmarks  # the detector is asked for nothing else here

            wide = Bank.open(given.beside)
            found = beside_landmarks(network, answers, wide, bank.size, found, given.crop_scale)
        with atomic(given.output) as path:
            lists = {k: {n: v.tolist() for n, v in getattr(found, k).items()} for k in _KEYS}
            path.write_text(json.dumps(lists), encoding="utf-8")
    except SmirkError as error:
        print(f"calibrate: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
