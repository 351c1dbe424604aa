# SPDX-License-Identifier: Apache-2.0
"""FLAME (Li et al. 2017) from its official ``.pkl`` files: 2020 generic, female, male; 2023; 2023 Open.

The files are the user's own, behind a registration. They are read without chumpy, SciPy or running anything
(:mod:`.safe_pickle`). Forward pass, fields and file layout: the specification's sections 2.1 to 2.4.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ..errors import AssetError
from ..user_assets import FLAME_KINDS, KNOWN_SHA256
from .flame_assets import (
    TRIANGLES,
    VERTICES,
    find_file,
    read_embeddings,
    read_eyelids,
    read_masks,
    read_uvs,
    search_folders,
)
from .head_model import HeadModel
from .safe_pickle import Opaque, SparseMatrix, load_pickle, read_bytes

__all__ = ["EXPRESSIONS", "EXPRESSION_RANGE", "Eyelids", "flame_expression_names", "load_flame"]

Floats = npt.NDArray[np.floating[Any]]
Eyelids = Literal["faithful", "rig"]
IDENTITIES, ALL_EXPRESSIONS = 300, 100  # columns of shapedirs, in this order
EXPRESSIONS = 50  # of them in use unless more are asked for: what SMIRK and its relatives predict
EXPRESSION_RANGE = (-10.0, 10.0)  # standard deviations; Blender's sliders end there
_FAR = 6e4  # metres and anything else in the file; half precision knows it too
_JOINTS = ("root", "neck", "jaw", "left_eye", "right_eye")
_PARENTS = (-1, 0, 1, 1, 1)
_CORRECTIVES = 9 * (len(_JOINTS) - 1)
_MATERIALS = ("skin", "lips", "eye_white", "iris", "pupil")
_PUPIL, _IRIS = np.cos(np.radians((11.0, 29.0)))  # a pupil of 4.5 and an iris of 11.7 mm on a ball of 24 mm


def flame_expression_names(count: int = EXPRESSIONS) -> tuple[str, ...]:
    """``exp_001``, ``exp_002``, …: FLAME's expressions are numbered components, not shapes with a meaning."""
    return tuple(f"exp_{number:03d}" for number in range(1, count + 1))


def load_flame(
    path: str | os.PathLike[str],
    *,
    eyelids: Eyelids = "faithful",
    assets: str | os.PathLike[str] | None = None,
    expressions: int = EXPRESSIONS,
) -> HeadModel:
    """Read a FLAME model.

    Args:
        path: an official ``.pkl``.
        eyelids: ``faithful`` adds the lids' offsets after skinning, unrotated, as SMIRK was trained; ``rig`` before, so
            that they turn with the head.
        assets: the official repository's assets folder, with lids, landmarks, masks and UVs. Without it they are looked
            for beside ``path``, one folder up, and among the user's imported files. What is not found is left out and
            named in ``notes`` of the result.
        expressions: how many of the 100 expression components to use, the first ones.

    Returns:
        The head, in metres and float32; coefficients are standard deviations. ``digest`` depends on the model alone,
        not on lids or the number of expressions.

    Raises:
        AssetError: a file is missing, damaged, unsafe, or of another model; the message says which and how.
        ValueError: ``eyelids`` or ``expressions`` is none of the possible values.
    """
    if eyelids not in ("faithful", "rig") or not 0 <= expressions <= ALL_EXPRESSIONS:
        raise ValueError(f"eyelids {eyelids!r}, expressions {expressions}")
    path = Path(path)
    data = read_bytes(path)
    raw = load_pickle(data, what=str(path))
    if not isinstance(raw, dict):
        raise AssetError(f"{path} is not a FLAME model: it holds no table of arrays.")
    faces = _field(path, raw, "f", (TRIANGLES, 3)).astype(np.int64)
    if faces.min() < 0 or faces.max() >= VERTICES:
        raise AssetError(f"{path} is damaged: its triangles name vertices that it does not have.")
    template = _field(path, raw, "v_template", (VERTICES, 3)).astype(np.float32)
    shapes = _field(path, raw, "shapedirs", (VERTICES, 3, IDENTITIES + ALL_EXPRESSIONS))
    basis = np.ascontiguousarray(shapes.transpose(2, 0, 1), np.float32)
    poses = _field(path, raw, "posedirs", (VERTICES, 3, _CORRECTIVES))
    correctives = np.ascontiguousarray(poses.transpose(2, 0, 1), np.float32)
    regressor = _field(path, raw, "J_regressor", (len(_JOINTS), VERTICES)).astype(np.float32)
    weights = _field(path, raw, "weights", (VERTICES, len(_JOINTS))).astype(np.float32)
    if np.abs(weights.sum(axis=1) - 1).max() > 1e-2:
        raise AssetError(f"{path} is damaged: its skinning weights do not add up to 1.")
    tree = _field(path, raw, "kintree_table", (2, len(_JOINTS)))
    if tuple(tree[0, 1:].tolist()) != _PARENTS[1:]:  # the root's parent is a number of no meaning
        raise AssetError(f"{path} is not a FLAME model: its skeleton is another one.")

    digest = hashlib.sha256()
    for part in (template, basis, correctives, regressor, weights, faces.astype(np.int32)):
        digest.update(np.ascontiguousarray(part).tobytes())
    extras = _Extras(path, None if assets is None else Path(assets), faces)
    balls = tuple(weights[:, joint] > 0.5 for joint in (3, 4))
    regions = {"left_eyeball": balls[0], "right_eyeball": balls[1], **extras.regions}
    if {"left_ear", "right_ear"} <= set(regions):
        regions["ears"] = regions["left_ear"] | regions["right_ear"]
    return HeadModel(
        name=_name(path, data),
        digest=digest.hexdigest(),
        template=template,
        polygons=_with_hole(faces),
        identity_basis=basis[:IDENTITIES],
        expression_basis=basis[IDENTITIES : IDENTITIES + expressions],
        expression_names=flame_expression_names(expressions),
        eyelid_basis=extras.eyelids,
        corrective_basis=correctives,
        corrective_features=np.arange(_CORRECTIVES, dtype=np.int32),
        joint_names=_JOINTS,
        joint_parents=_PARENTS,
        joint_regressor=regressor,
        skinning_weights=weights,
        uvs=extras.uvs,
        polygon_uvs=extras.polygon_uvs,
        polygon_materials=_materials(template, faces, balls, regions.get("lips")),
        material_names=_MATERIALS,
        regions=regions,
        landmarks=extras.landmarks,
        expression_range=EXPRESSION_RANGE,
        joints_follow_expression=True,
        eyelids_after_skinning=eyelids == "faithful",
        contour=extras.contour,
        notes=tuple(extras.notes),
    )


def _field(path: Path, raw: dict[Any, Any], name: str, shape: tuple[int, ...]) -> npt.NDArray[Any]:
    """A field of the file as a finite array of numbers of the shape that FLAME has."""
    if name not in raw:
        raise AssetError(f"{path} is not a FLAME model: it has no '{name}'.")
    value = raw[name]
    if isinstance(value, SparseMatrix) and value.shape == shape:
        value = value.toarray()
    if isinstance(value, Opaque):
        raise AssetError(f"Cannot read {path}: its '{name}' is a formula of {value.path[:60]}, not an array.")
    if not isinstance(value, (np.ndarray, SparseMatrix)):
        raise AssetError(f"{path} is not a FLAME model: its '{name}' is no array.")
    if isinstance(value, SparseMatrix) or value.shape != shape:
        raise AssetError(
            f"{path} is not a FLAME model, or not one of the official files: its '{name}' has shape {value.shape}, "
            f"FLAME's has {shape}."
        )
    if value.dtype.kind not in "fiu":
        raise AssetError(f"{path} is damaged: its '{name}' does not hold numbers.")
    if value.dtype.kind == "f" and not (np.abs(value) < _FAR).all():  # NaN is not less either
        raise AssetError(f"{path} is damaged: its '{name}' holds values that are not finite, or that no head has.")
    return value


def _name(path: Path, data: bytes) -> str:
    """The model's name: by its fingerprint where that is known, else by the name of an official download."""
    known = KNOWN_SHA256.get(hashlib.sha256(data).hexdigest())
    if known in FLAME_KINDS:
        return known
    stem = path.stem.lower()
    if stem in ("female_model", "male_model"):
        return f"flame-2020-{stem.removesuffix('_model')}"
    if stem.startswith("flame2023"):
        return "flame-2023-open" if "open" in stem else "flame-2023"
    return "flame-custom"


def _with_hole(faces: npt.NDArray[Any]) -> npt.NDArray[np.int32]:
    """(F, 3) triangles as (F, 4) polygons."""
    return np.concatenate([faces, np.full((len(faces), 1), -1)], axis=1).astype(np.int32)


def _materials(
    template: Floats,
    faces: npt.NDArray[Any],
    balls: tuple[npt.NDArray[np.bool_], ...],
    lips: npt.NDArray[np.bool_] | None,
) -> npt.NDArray[np.int32]:
    """(F,) rows of _MATERIALS; iris and pupil are caps of the eyeballs around their front."""
    materials = np.zeros(len(faces), np.int32)
    if lips is not None:
        materials[lips[faces].all(axis=1)] = 1
    for ball in balls:
        rows = np.flatnonzero(ball[faces].all(axis=1))
        if not len(rows):
            continue
        arm = template[faces[rows]].mean(axis=1) - template[ball].mean(axis=0)
        front = arm[:, 2] / np.maximum(np.linalg.norm(arm, axis=1), 1e-9)
        materials[rows] = np.select([front > _PUPIL, front > _IRIS], [4, 3], 2)
    return materials


class _Extras:
    """What the files around the model add, and notes on those that are missing."""

    def __init__(self, path: Path, assets: Path | None, faces: npt.NDArray[Any]) -> None:
        folders = search_folders(path, assets)

        def search(kind: str) -> Path | None:
            return find_file(kind, folders)

        self.notes: list[str] = []
        self.eyelids: Floats = np.zeros((2, VERTICES, 3), np.float32)
        left, right = search("l_eyelid"), search("r_eyelid")
        if left is not None and right is not None:
            self.eyelids = read_eyelids(left, right)
        else:
            self._miss("l_eyelid.npy, r_eyelid.npy", "the lids cannot close")
        mediapipe, fan = search("mediapipe_embedding"), search("landmark_embedding")
        self.landmarks, self.contour = read_embeddings(mediapipe, fan)
        if mediapipe is None:
            self._miss("mediapipe_landmark_embedding.npz", "footage cannot be solved on this head")
        if fan is None:
            self._miss("landmark_embedding.npy", "it has no FAN landmarks")
        masks = search("flame_masks")
        self.regions = {} if masks is None else read_masks(masks)
        if masks is None:
            self._miss("FLAME_masks.pkl", "lips and other regions are not told apart")
        obj = search("head_template")
        found = None if obj is None else read_uvs(obj, faces)
        if found is None:
            self._miss("head_template.obj", "it has no texture coordinates")
            found = np.zeros((1, 2), np.float32), np.zeros((len(faces), 3), np.int32)
        self.uvs, self.polygon_uvs = found[0], _with_hole(found[1])

    def _miss(self, files: str, consequence: str) -> None:
        self.notes.append(f"no {files}: {consequence}")
