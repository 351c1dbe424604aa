# SPDX-License-Identifier: Apache-2.0
"""Those who are asked what a face does: the product's ways, MediaPipe's scores, and controls that know less.

Every one answers with ARKit weights for the same pictures and the same detected landmarks. The encoder sees the crop
that the product cuts around those landmarks.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from smirk_core.encoder.runtime import Encoder
from smirk_core.export.atomic import atomic
from smirk_core.heads.arkit import arkit_from_groups
from smirk_core.heads.head_model import HeadModel
from smirk_core.tracking.crop_encoder import CropEncoder, EncodedFaces
from smirk_core.tracking.landmark_prior import load_landmark_prior
from smirk_core.tracking.measured import Measured, measured_parameters
from smirk_core.tracking.solve import SolveSettings, solve_clip
from training.mediapipe_scores import mediapipe_scores

from .observed import Seen

__all__ = ["PREDICTORS", "SOLVED", "WORDS", "Asked", "Prediction", "Predictors", "kept"]

Array = npt.NDArray[Any]
WORDS = {
    "zero": "zero expression",
    "plain": "plain landmark fit",
    "landmarks": "landmarks alone, learned",
    "mediapipe": "MediaPipe's scores",
    "solve": "solve alone",
    "encoder": "encoder alone",
    "both": "encoder and solve",
}
PREDICTORS = tuple(WORDS)
SOLVED = ("plain", "solve", "both")  # they solve an identity, which may be given instead
_MOVING = ("expression", "jaw", "eyelids", "eyes")


@dataclass(frozen=True)
class Prediction:
    """What a predictor says of N pictures.

    Attributes:
        weights: (N, 52) ARKit weights; 0 where no face was found.
        identity: (N, K), or None for predictors that know no identity.
        groups: rotation, camera (full-frame pixels), expression, jaw, eyelids, eyes; (N, size) each, for pictures.
        seconds: of processor time a picture, without the detector.
    """

    weights: Array
    identity: Array | None
    groups: dict[str, Array]
    seconds: float


@dataclass(frozen=True)
class Asked:
    """How a predictor is asked: ``identity`` (N, K) is given to those who solve one; ``smoothing`` as in the solve."""

    identity: Array | None = None
    smoothing: float = 1.0


class Predictors:
    """All of them, by name.

    Args:
        model: the head.
        encoder: needed by "encoder" and "both".
        landmarker: ``face_landmarker.task``, where it is not in its usual places.
        settings: of the solve, instead of the product's.
    """

    def __init__(
        self, model: HeadModel, encoder: Encoder | None = None, landmarker: Path | None = None,
        settings: SolveSettings | None = None,
    ) -> None:  # fmt: skip
        self.model, self.encoder, self._landmarker = model, encoder, landmarker
        self._settings = settings or SolveSettings()

    def ask(self, name: str, seen: Seen, asked: Asked | None = None) -> Prediction:
        """What a predictor says of pictures that stand alone, or of a clip.

        Raises:
            KeyError: there is no such predictor.
            ValueError: it needs an encoder and there is none.
        """
        asked = asked or Asked()
        start = time.process_time()
        found = seen.found
        if name not in WORDS:
            raise KeyError(name)
        if name == "zero":
            groups, identity = {}, None
            weights = np.zeros((int(found.sum()), 52))
        elif name == "landmarks":
            weights, groups, identity = load_landmark_prior().predict(seen.landmarks[found]).weights, {}, None
        elif name == "mediapipe":
            pictures = [p for p, f in zip(seen.pictures, found, strict=True) if f]
            weights = np.nan_to_num(mediapipe_scores(pictures, self._landmarker))
            groups, identity = {}, None
        else:
            groups, identity = self._solved(name, seen, asked) if name in SOLVED else self._encoded(seen)
            weights = arkit_from_groups(self.model, {n: groups[n] for n in _MOVING if n in groups})
        seconds = (time.process_time() - start) / max(len(seen), 1)

        def everywhere(values: Array) -> Array:
            out = np.zeros((len(seen), *values.shape[1:]))
            out[found] = values
            return out

        return Prediction(
            everywhere(np.asarray(weights)), None if identity is None else everywhere(identity),
            {n: everywhere(v) for n, v in groups.items()}, seconds,
        )  # fmt: skip

    def mark(self, name: str) -> str:
        """What an answer depends on: the head, and for some the encoder. The solve's code is not in it."""
        if name in ("zero", "landmarks", "mediapipe"):
            return "any"
        used = self.encoder if name in ("encoder", "both") else None
        return self.model.digest[:8] + ("" if used is None else "-" + used.digest[:12])

    def encode(self, seen: Seen) -> EncodedFaces:
        """What the encoder says of the pictures in which a face was found."""
        if self.encoder is None:
            raise ValueError("this predictor needs an encoder")
        crops = CropEncoder(self.encoder)
        try:
            for i in np.flatnonzero(seen.found):
                crops.add(seen.pictures[i], [seen.landmarks[i]])
            return crops.finish()
        finally:
            crops.close()

    def _encoded(self, seen: Seen) -> tuple[dict[str, Array], Array]:
        found = self._measured(self.encode(seen))
        groups = {n: np.concatenate([m.groups[n] for m in found]) for n in found[0].groups}
        return groups, np.stack([m.identity for m in found])

    def _measured(self, encoded: EncodedFaces) -> list[Measured]:
        """One for each picture, so that each has its own identity."""
        return [
            measured_parameters(replace(encoded, **_row(encoded, i)), self.model) for i in range(len(encoded.crops))
        ]

    def _solved(self, name: str, seen: Seen, asked: Asked) -> tuple[dict[str, Array], Array]:
        settings = replace(self._settings, smoothing=asked.smoothing)
        if name == "plain":
            settings = replace(settings, learned_prior=False)
        rows = np.flatnonzero(seen.found)
        encoded = self.encode(seen) if name == "both" else None
        if seen.times is not None:
            measured = None if encoded is None else measured_parameters(encoded, self.model)
            solution = solve_clip(self.model, seen.observations(), settings, measured=measured)
            return {n: v[rows] for n, v in solution.groups.items()}, np.repeat(solution.identity[None], len(rows), 0)
        measured = [None] * len(rows) if encoded is None else self._measured(encoded)
        groups, identities = [], []
        for i, own in zip(rows, measured, strict=True):
            if asked.identity is not None:
                settings = replace(settings, identity=tuple(asked.identity[i].tolist()))
            solution = solve_clip(self.model, seen.observations(slice(i, i + 1)), settings, measured=own)
            groups.append(solution.groups)
            identities.append(solution.identity)
        return {n: np.concatenate([g[n] for g in groups]) for n in groups[0]}, np.stack(identities)


def kept(path: Path, ask: Callable[[], Prediction], fresh: bool = False) -> Prediction:
    """An answer from a file, or a new one that is written there."""
    if fresh or not path.is_file():
        answer = ask()
        identity = {} if answer.identity is None else {"identity": answer.identity}
        groups = {f"group/{n}": v for n, v in answer.groups.items()}
        with atomic(path) as temporary:
            np.savez(temporary, weights=answer.weights, seconds=np.array(answer.seconds), **identity, **groups)
        return answer
    with np.load(path, allow_pickle=False) as file:
        groups = {n.removeprefix("group/"): file[n] for n in file.files if n.startswith("group/")}
        identity = file["identity"] if "identity" in file.files else None
        return Prediction(file["weights"], identity, groups, float(file["seconds"]))


def _row(encoded: EncodedFaces, i: int) -> dict[str, Any]:
    part = slice(i, i + 1)
    return {"outputs": {n: v[part] for n, v in encoded.outputs.items()}, "crops": encoded.crops[part]}
