# SPDX-License-Identifier: Apache-2.0
"""What was seen of one face: the input of the clip solve."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["LANDMARKS", "Observations"]

Floats = npt.NDArray[np.floating[Any]]
LANDMARKS = 478  # MediaPipe's mesh of 468 points and two irises of 5


@dataclass(frozen=True)
class Observations:
    """Landmarks of one face over time.

    Convention: full-frame pixels, origin at the centre of the top-left pixel, x right, y down; z in the same unit,
    smaller is nearer, relative to the middle of the head.

    Attributes:
        times: (N,) seconds from the first frame of the source, strictly increasing.
        landmarks: (N, 478, 3) float32; NaN in frames where the face was not seen.
        visibility: (N,) float32, 1 where the face was seen, 0 where not.
        width, height: upright frame size in pixels.
        detector: name of the detector, e.g. ``"facemesh-0.10.21"``: detectors differ in what they call a point.
    """

    times: Floats
    landmarks: Floats
    visibility: Floats
    width: int
    height: int
    detector: str = ""

    def __post_init__(self) -> None:
        n = len(self.times)
        if self.landmarks.shape != (n, LANDMARKS, 3) or self.visibility.shape != (n,):
            raise ValueError(
                f"expected landmarks ({n}, {LANDMARKS}, 3) and visibility ({n},), "
                f"got {self.landmarks.shape} and {self.visibility.shape}"
            )
        if not np.isfinite(self.landmarks[self.visibility > 0]).all():
            raise ValueError("landmarks of a seen frame are not finite")

    def __len__(self) -> int:
        return len(self.times)
