# SPDX-License-Identifier: Apache-2.0
"""What the user's own model files are, what they are good for, where to get them, and under which terms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

__all__ = ["CATALOG", "AssetKind"]

_FLAME_SITE = "https://flame.is.tue.mpg.de (free registration), Downloads"
_SMIRK_REPOSITORY = "https://github.com/georgeretsi/smirk, folder assets"
_FLAME_TERMS = "Max Planck licence: non-commercial research, no redistribution"
_REPOSITORY_TERMS = "repository MIT; this file comes from a Max Planck project: non-commercial research"


@dataclass(frozen=True)
class AssetKind:
    """Words about one kind of file.

    Attributes:
        title: its name.
        purpose: what it is needed for.
        where: how to get it.
        licence: its terms in short, as far as they are known; the licence text that comes with the file counts.
    """

    title: str
    purpose: str
    where: str
    licence: str


CATALOG: Mapping[str, AssetKind] = MappingProxyType(
    {
        "flame-2020-generic": AssetKind(
            "FLAME 2020, generic", "the head that SMIRK, DECA and EMOCA speak of", f"{_FLAME_SITE}: FLAME 2020",
            _FLAME_TERMS,
        ),
        "flame-2020-female": AssetKind(
            "FLAME 2020, female", "another FLAME head", f"{_FLAME_SITE}: FLAME 2020", _FLAME_TERMS
        ),
        "flame-2020-male": AssetKind(
            "FLAME 2020, male", "another FLAME head", f"{_FLAME_SITE}: FLAME 2020", _FLAME_TERMS
        ),
        "flame-2023": AssetKind(
            "FLAME 2023", "another FLAME head; its expressions are not those that SMIRK was trained with",
            f"{_FLAME_SITE}: FLAME 2023", _FLAME_TERMS,
        ),
        "flame-2023-open": AssetKind(
            "FLAME 2023 Open", "a FLAME head for commercial work; its expressions are not SMIRK's",
            f"{_FLAME_SITE}: FLAME 2023 Open", "CC BY 4.0, with attribution",
        ),
        "l_eyelid": AssetKind(
            "Left eyelid", "blinks on FLAME", f"{_SMIRK_REPOSITORY}: l_eyelid.npy", _REPOSITORY_TERMS
        ),
        "r_eyelid": AssetKind(
            "Right eyelid", "blinks on FLAME", f"{_SMIRK_REPOSITORY}: r_eyelid.npy", _REPOSITORY_TERMS
        ),
        "landmark_embedding": AssetKind(
            "FAN-68 landmarks", "landmarks and contour on FLAME", f"{_SMIRK_REPOSITORY}: landmark_embedding.npy",
            _REPOSITORY_TERMS,
        ),
        "mediapipe_embedding": AssetKind(
            "MediaPipe landmarks", "solving FLAME from footage",
            f"{_SMIRK_REPOSITORY}: mediapipe_landmark_embedding", "repository MIT; its origin is not stated",
        ),
        "flame_masks": AssetKind(
            "FLAME regions", "materials and filters by region on FLAME", f"{_SMIRK_REPOSITORY}: FLAME_masks",
            _REPOSITORY_TERMS,
        ),
        "head_template": AssetKind(
            "FLAME template", "texture coordinates on FLAME", f"{_SMIRK_REPOSITORY}: head_template.obj",
            "repository MIT; FLAME's topology",
        ),
        "smirk-checkpoint": AssetKind(
            "SMIRK checkpoint", "the official encoder (--encoder FILE)",
            "https://github.com/georgeretsi/smirk, quick_install.sh or its README: SMIRK_em1.pt",
            "repository MIT; no licence text of its own, trained on non-commercial data",
        ),
        "face_landmarker": AssetKind(
            "MediaPipe face model", "finding faces on Python 3.13 (older ones have it inside MediaPipe)",
            "https://storage.googleapis.com/mediapipe-models/face_landmarker/face_landmarker/float16/1/"
            "face_landmarker.task",
            "Apache-2.0 (model cards)",
        ),
    }
)  # fmt: skip
