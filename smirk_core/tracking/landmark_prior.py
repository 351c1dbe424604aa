# SPDX-License-Identifier: Apache-2.0
"""What detected landmarks say about an expression: a small learned map, run in NumPy.

A landmark detector damps and mixes expressions in its own way. This map has seen what it answers on pictures with
known truth (``training/detector``) and inverts that: 478 detected points to the 52 ARKit weights, each with a standard
deviation, small for what landmarks show (jaw, smile, lids) and large for what they do not (cheek puff, sneer).

A person's own neutral face separates a low brow from a frown. Where it is known, the differences to it are part of the
input; where it is not, the estimate is wider.
"""

from __future__ import annotations

import json
import os
import zipfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ..errors import AssetError
from ..heads.arkit import groups_from_arkit
from ..heads.head_model import HeadModel
from ..heads.parameters import ARKIT_NAMES
from ..heads.rotation import rotvec_from_matrix

__all__ = [
    "LANDMARK_PRIOR_PATH",
    "LOG_SIGMA",
    "Aligned",
    "LandmarkEstimate",
    "LandmarkPrior",
    "align",
    "load_landmark_prior",
]

Floats = npt.NDArray[np.floating[Any]]
LANDMARK_PRIOR_PATH = Path(__file__).parent.parent / "assets" / "landmark_prior.npz"
POINTS = 478
LOG_SIGMA = (-3.5, 0.5)  # nobody knows a weight better than to 0.03, and within [0, 1] not worse than this
_KIND = "smirk-landmark-prior-1"


@dataclass(frozen=True)
class LandmarkEstimate:
    """Gaussian estimates of ARKit weights.

    Attributes:
        weights: (N, 52) means in [0, 1], in the order of :data:`smirk_core.heads.parameters.ARKIT_NAMES`.
        sigma: (N, 52) standard deviations, > 0.
    """

    weights: Floats
    sigma: Floats

    def groups(self, model: HeadModel) -> dict[str, tuple[Floats, Floats]]:
        """Means and standard deviations, (N, size) each, of the moving groups; NaN where no weight moves a number."""
        jacobian = groups_from_arkit(model, np.eye(len(ARKIT_NAMES)))  # rows: weights, columns: group entries
        means = groups_from_arkit(model, self.weights)
        out = {}
        for name in ("expression", "eyelids", "jaw", "eyes"):
            square = jacobian[name] ** 2
            known = np.where(square.sum(0) > 0, 1.0, np.nan)
            out[name] = means[name] * known, np.sqrt(self.sigma**2 @ square) * known
        return out


@dataclass(frozen=True)
class Aligned:
    """Landmarks without pose, place and size.

    Attributes:
        points: (N, L, 3) in the reference's unit and frame (+x to the subject's left, +y up, +z out of the face).
        rotation: (N, 3) rotation vectors, head to camera, radians.
        scale: (N,) pixels per unit of the reference.
    """

    points: Floats
    rotation: Floats
    scale: Floats


def align(landmarks: Floats, reference: Floats, weight: Floats) -> Aligned:
    """Weighted similarity in three dimensions from each frame's landmarks to a reference (Umeyama 1991).

    Args:
        landmarks: (N, L, 3) pixels: u, v down, and depth in pixels, smaller is nearer.
        reference: (L, 3).
        weight: (L,) non-negative; points that expressions move should have little.
    """
    seen = np.asarray(landmarks, np.float64) * np.array([1.0, -1.0, -1.0])
    w = weight / weight.sum()
    middle = np.einsum("l,nlc->nc", w, seen)
    centre = w @ reference
    p, q = reference - centre, seen - middle[:, None]
    u, sigma, vt = np.linalg.svd(np.einsum("l,nli,lj->nij", w, q, p))
    sign = np.ones_like(sigma)
    sign[:, 2] = np.sign(np.linalg.det(u @ vt))
    turn = (u * sign[:, None]) @ vt  # head to camera
    scale = (sigma * sign).sum(1) / (w @ (p * p).sum(1))
    scale = np.maximum(scale, 1e-9)
    points = (q @ turn) / scale[:, None, None] + centre
    return Aligned(points, rotvec_from_matrix(turn), scale)


class LandmarkPrior:
    """The learned map; make one with :func:`load_landmark_prior`.

    Args:
        arrays: as in the asset: ``reference`` (478, 3) and ``stable`` (478,) of the alignment; ``mean`` (1434,),
            ``basis`` (A, 1434) of aligned points; ``change_basis`` (D, 1434) of differences to neutral;
            ``input_mean``, ``input_scale`` of the features; ``layer0/weight`` (out, in), ``layer0/bias``, ... ;
            the last layer gives 52 means and 52 log standard deviations; ``names`` (52,); optionally ``rest`` and
            ``gain`` (52,): estimates below rest count as nothing, those above are stretched by gain.
    """

    def __init__(self, arrays: dict[str, npt.NDArray[Any]]) -> None:
        self.names = tuple(str(n) for n in arrays["names"])
        self.reference = arrays["reference"].astype(np.float64)
        self.stable = arrays["stable"].astype(np.float64)
        self._mean = arrays["mean"].astype(np.float32)
        self._basis = arrays["basis"].astype(np.float32)
        self._change_basis = arrays["change_basis"].astype(np.float32)
        self._input = arrays["input_mean"].astype(np.float32), arrays["input_scale"].astype(np.float32)
        self._rest = arrays.get("rest", np.zeros(len(self.names))).astype(np.float32)
        self._gain = arrays.get("gain", np.ones(len(self.names))).astype(np.float32)
        count = sum(1 for k in arrays if k.startswith("layer") and k.endswith("/weight"))
        self._layers = [
            (arrays[f"layer{i}/weight"].astype(np.float32), arrays[f"layer{i}/bias"].astype(np.float32))
            for i in range(count)
        ]

    def features(self, landmarks: Floats, neutral: Floats | None, detector: Literal["facemesh", "task"]) -> Floats:
        """(N, A + D + 8) raw inputs: shape, change from neutral, both poses, known-neutral flag, detector flag."""
        seen = align(landmarks, self.reference, self.stable)
        n = len(seen.points)
        flat = seen.points.reshape(n, -1).astype(np.float32)
        shape = (flat - self._mean) @ self._basis.T
        change = np.zeros((n, len(self._change_basis)), np.float32)
        rest_pose = np.zeros((n, 3), np.float32)
        if neutral is not None:
            rest = align(neutral, self.reference, self.stable)
            calm = rest.points.mean(0).reshape(-1).astype(np.float32)
            change = (flat - calm) @ self._change_basis.T
            rest_pose = np.broadcast_to(rest.rotation.mean(0).astype(np.float32), (n, 3))
        flags = np.broadcast_to(np.array([neutral is not None, detector == "task"], np.float32), (n, 2))
        return np.concatenate([shape, change, seen.rotation.astype(np.float32), rest_pose, flags], axis=1)

    def predict(
        self,
        landmarks: Floats,
        neutral: Floats | None = None,
        detector: Literal["facemesh", "task"] = "facemesh",
    ) -> LandmarkEstimate:
        """Estimate expressions from detected landmarks.

        Args:
            landmarks: (N, 478, 3) pixels as MediaPipe gives them: u, v down, and z in the same unit, smaller is nearer.
            neutral: (478, 3), or (M, 478, 3) for several: the same person at rest, if known.
            detector: where the landmarks come from.

        Raises:
            ValueError: an array has another shape.
        """
        landmarks = np.asarray(landmarks)
        if landmarks.ndim != 3 or landmarks.shape[1:] != (POINTS, 3):
            raise ValueError(f"landmarks: expected (N, {POINTS}, 3), got {landmarks.shape}")
        if neutral is not None:
            neutral = np.asarray(neutral)
            neutral = neutral[None] if neutral.ndim == 2 else neutral
            if neutral.shape[1:] != (POINTS, 3) or len(neutral) == 0:
                raise ValueError(f"neutral: expected (M, {POINTS}, 3), got {neutral.shape}")
        if len(landmarks) == 0:
            return LandmarkEstimate(np.zeros((0, len(self.names))), np.ones((0, len(self.names))))
        mean, scale = self._input
        x = (self.features(landmarks, neutral, detector) - mean) / scale
        # Shapes that no training picture had must not be extrapolated without bound.
        x = np.clip(x, -6.0, 6.0)
        for i, (weight, bias) in enumerate(self._layers):
            x = x @ weight.T + bias
            if i + 1 < len(self._layers):
                x = x / (1.0 + np.exp(-np.clip(x, -40.0, 40.0)))
        k = len(self.names)
        return LandmarkEstimate(
            weights=np.clip((x[:, :k] - self._rest) * self._gain, 0.0, 1.0).astype(np.float64),
            sigma=(self._gain * np.exp(np.clip(x[:, k:], *LOG_SIGMA))).astype(np.float64),
        )


def load_landmark_prior(path: str | os.PathLike[str] = LANDMARK_PRIOR_PATH) -> LandmarkPrior:
    """Read the bundled map, or another of the same kind (kept in memory after the first call).

    Raises:
        AssetError: the file is missing, damaged or of another kind.
    """
    return _load(Path(path))


@lru_cache(maxsize=2)
def _load(path: Path) -> LandmarkPrior:
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {k: file[k] for k in file.files}
        header = json.loads(str(arrays.pop("header")[()]))
        if header.get("kind") != _KIND:
            raise KeyError("kind")
        return LandmarkPrior(arrays)
    except FileNotFoundError as error:
        raise AssetError(f"There is no landmark model {path}.") from error
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise AssetError(f"{path} is not a landmark model, or it is damaged.") from error
