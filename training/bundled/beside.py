# SPDX-License-Identifier: Apache-2.0
"""How much an encoder counts beside the learned model of the landmark detector, number by number.

In the solve both speak of the same numbers and are weighed by their uncertainties. Errors of the two go together, and
each knows its own only roughly; what serves is the share of each that comes nearest to the truth. It is found on drawn
people in pictures wide enough for the detector, asked in the way of the product, and handed to the encoder as its
typical uncertainty.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from smirk_core.encoder.architecture import IMAGE_SIZE
from smirk_core.errors import TrainingError
from smirk_core.tracking.crop import crop_transform
from smirk_core.tracking.landmark_prior import load_landmark_prior

from ..data.bank import Bank
from ..data.detection import PictureDetector
from .answers import FACE_GROUPS, Answers
from .calibrate import Calibration

__all__ = ["beside_landmarks", "encoder_share"]

Array = npt.NDArray[Any]
_LEAST = 0.05  # share that each keeps at least: the drawn faces are not all faces
_FEWEST = 64  # pictures


def encoder_share(encoder: Array, landmarks: Array, truth: Array) -> Array:
    """(size,) shares s of the encoder in (1 - s) landmarks + s encoder that come nearest to the truth, (N, size) each.

    The least squares of one unknown a column, kept within [0.05, 0.95].
    """
    apart = encoder - landmarks
    best = ((truth - landmarks) * apart).sum(0) / np.square(apart).sum(0).clip(1e-12)
    return best.clip(_LEAST, 1 - _LEAST)


@torch.no_grad()
def beside_landmarks(
    network: nn.Module, answers: Answers, bank: Bank, size: int, calibration: Calibration, crop_scale: float
) -> Calibration:
    """A calibration whose typical uncertainties weigh the encoder rightly against the landmarks.

    Args:
        network: (B, 3, size, size) to answers, as it will be asked.
        answers: their layout.
        bank: drawn people with room around their heads.
        size: of the network's pictures.
        calibration: of the network's numbers, to be completed.
        crop_scale: of the encoder's crops.

    Raises:
        TrainingError: the detector finds next to no face in the bank.
    """
    detector, prior = PictureDetector("facemesh"), load_landmark_prior()
    marks, crops, rows = [], [], []
    for row in range(len(bank)):
        picture = bank.images(np.array([row]))[0].permute(1, 2, 0).contiguous().numpy()
        found = detector(picture)
        if found is not None:
            marks.append(found)
            crops.append(crop_transform(found, crop_scale).apply(picture))
            rows.append(row)
    if len(rows) < _FEWEST:
        raise TrainingError(f"Only {len(rows)} of {len(bank)} faces were found; draw them larger, with room around.")
    said = _said(network, answers, np.stack(crops), size, calibration)
    heard = prior.predict(np.stack(marks)).groups(answers.model)
    truth = bank.groups(np.array(rows))
    typical = {}
    for name in FACE_GROUPS:
        centre, sigma = heard[name]
        known = np.isfinite(centre[0])
        share = encoder_share(said[name].numpy(), np.nan_to_num(centre), truth[name].double().numpy())
        other = np.log(np.where(known, sigma, 1.0).clip(1e-6)).mean(0)
        typical[name] = np.where(known, other + 0.5 * np.log((1 - share) / share), calibration.typical[name])
    return replace(calibration, typical=typical)


def _said(
    network: nn.Module, answers: Answers, crops: Array, size: int, calibration: Calibration
) -> Mapping[str, Tensor]:
    """Calibrated face groups (N, size) of crops (N, 224, 224, 3)."""
    parts = []
    for some in torch.from_numpy(crops).split(32):
        image = torch.nn.functional.avg_pool2d(some.permute(0, 3, 1, 2).float() / 255, IMAGE_SIZE // size)
        groups = calibration.apply(answers.groups(network(image.to(memory_format=torch.channels_last)), clamp=False))
        for name in ("expression", "eyelids"):
            groups[name] = groups[name].clamp(0, 1)
        parts.append(groups)
    return {n: torch.cat([p[n] for p in parts]).double() for n in FACE_GROUPS}
