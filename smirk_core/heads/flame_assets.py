# SPDX-License-Identifier: Apache-2.0
"""The files around FLAME that the official repository keeps in its assets folder: lids, landmarks, masks, UVs.

All are optional and the user's own. Formats: the specification's sections 2.1, 2.3 and 2.4.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import AssetError
from ..user_assets import OFFICIAL_NAMES, find
from .head_model import ContourEmbedding, LandmarkEmbedding
from .landmark_sets import MEDIAPIPE_105
from .safe_pickle import load_npy, load_npz, load_pickle, read_bytes

__all__ = [
    "AROUND",
    "TRIANGLES",
    "VERTICES",
    "find_file",
    "read_embeddings",
    "read_eyelids",
    "read_masks",
    "read_uvs",
    "search_folders",
]

VERTICES, TRIANGLES = 5023, 9976
AROUND = ("l_eyelid", "r_eyelid", "mediapipe_embedding", "landmark_embedding", "flame_masks", "head_template")
Floats = npt.NDArray[np.floating[Any]]
Ints = npt.NDArray[np.integer[Any]]


def find_file(kind: str, folders: tuple[Path, ...]) -> Path | None:
    """The file of a kind in the first folder that has it under its official name, else in the user's data folder."""
    for folder in folders:
        for name in OFFICIAL_NAMES[kind]:
            if (path := folder / name).is_file():
                return path
    return find(kind)


def search_folders(path: Path, assets: Path | None) -> tuple[Path, ...]:
    """Where the files around the model ``path`` may lie, the folder that the user names first.

    Raises:
        AssetError: that folder does not exist.
    """
    if assets is None:
        return path.parent, path.parent.parent
    if not assets.is_dir():
        raise AssetError(f"There is no assets folder {assets}.")
    return assets, path.parent, path.parent.parent


def _checked(path: Path, array: Any, shape: tuple[int, ...], what: str) -> npt.NDArray[Any]:
    if not isinstance(array, np.ndarray) or array.shape != shape or array.dtype.kind not in "fiu":
        found = f"has shape {array.shape}" if isinstance(array, np.ndarray) else "is missing"
        raise AssetError(f"{path} does not fit FLAME: {what} {found}, expected {shape}.")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise AssetError(f"{path} is damaged: {what} holds values that are not finite.")
    return array


def read_eyelids(left: Path, right: Path) -> Floats:
    """(2, V, 3) float32 metres, left and right lid at full closure.

    Raises:
        AssetError: a file is damaged or of another mesh.
    """
    offsets = [_checked(path, load_npy(path), (VERTICES, 3), "the lid's offset") for path in (left, right)]
    return np.stack(offsets).astype(np.float32)


def _embedding(path: Path, triangles: Any, barycentric: Any, shape: tuple[int, ...], what: str) -> tuple[Ints, Floats]:
    index = _checked(path, triangles, shape, f"the triangles of {what}")
    weights = _checked(path, barycentric, (*shape, 3), f"the weights of {what}")
    if index.dtype.kind == "f" or index.min() < 0 or index.max() >= TRIANGLES:
        raise AssetError(f"{path} does not fit FLAME: {what} names triangles that the mesh does not have.")
    return index.astype(np.int32), weights.astype(np.float32)


def _landmarks(triangles: Ints, barycentric: Floats) -> LandmarkEmbedding:
    return LandmarkEmbedding(triangles, barycentric, np.ones(len(triangles), np.float32))


def read_embeddings(
    mediapipe: Path | None, fan: Path | None
) -> tuple[dict[str, LandmarkEmbedding], ContourEmbedding | None]:
    """``mediapipe_105`` from one file; ``ibug_51``, ``ibug_68`` and the contour table from the other.

    All points are trusted alike: no measure of their errors comes with the files.

    Raises:
        AssetError: a file is damaged or of another mesh.
    """
    landmarks: dict[str, LandmarkEmbedding] = {}
    if mediapipe is not None:
        arrays = load_npz(mediapipe)
        index, weights = _embedding(
            mediapipe, arrays.get("lmk_face_idx"), arrays.get("lmk_b_coords"), (105,), "MediaPipe's landmarks"
        )
        numbers = _checked(mediapipe, arrays.get("landmark_indices"), (105,), "the list of landmarks")
        if sorted(numbers.tolist()) != sorted(MEDIAPIPE_105):
            raise AssetError(f"{mediapipe} holds other landmarks than the 105 that SMIRK uses.")
        place = {int(number): row for row, number in enumerate(numbers)}
        order = np.array([place[number] for number in MEDIAPIPE_105])
        landmarks["mediapipe_105"] = _landmarks(index[order], weights[order])
    contour = None
    if fan is not None:
        try:
            table = load_npy(fan).item()
        except ValueError:
            table = None
        if not isinstance(table, dict):
            raise AssetError(f"{fan} is not FLAME's landmark embedding: it holds no table.")
        parts = {}
        for name, shape in (("static", (51,)), ("dynamic", (79, 17)), ("full", (1, 68))):
            triangles, barycentric = table.get(f"{name}_lmk_faces_idx"), table.get(f"{name}_lmk_bary_coords")
            parts[name] = _embedding(fan, triangles, barycentric, shape, f"the {name} landmarks")
        landmarks["ibug_51"] = _landmarks(*parts["static"])
        landmarks["ibug_68"] = _landmarks(parts["full"][0][0], parts["full"][1][0])
        contour = ContourEmbedding(*parts["dynamic"])
    return landmarks, contour


def read_masks(path: Path) -> dict[str, npt.NDArray[np.bool_]]:
    """Region name -> (V,) bool.

    Raises:
        AssetError: the file is damaged or of another mesh.
    """
    table = load_pickle(path)
    if not isinstance(table, dict) or not table:
        raise AssetError(f"{path} does not hold FLAME's regions.")
    regions = {}
    for name, members in table.items():
        rows = np.asarray(members) if isinstance(members, (list, np.ndarray)) else None
        if not isinstance(name, str) or rows is None or rows.ndim != 1 or rows.dtype.kind not in "iu":
            raise AssetError(f"{path} does not hold FLAME's regions.")
        if len(rows) and (rows.min() < 0 or rows.max() >= VERTICES):
            raise AssetError(f"{path} does not fit FLAME: region '{name[:40]}' names vertices that the mesh lacks.")
        regions[name] = np.zeros(VERTICES, bool)
        regions[name][rows] = True
    return regions


def read_uvs(path: Path, faces: Ints) -> tuple[Floats, Ints] | None:
    """(T, 2) texture coordinates and (F, 3) indices into them for ``faces`` (F, 3), None where the file has none.

    The triangles of the file may come in another order, and start at another corner.

    Raises:
        AssetError: the file is no OBJ file of FLAME's mesh.
    """
    try:
        lines = read_bytes(path).decode("utf-8").splitlines()
        uvs = np.array([line.split()[1:3] for line in lines if line.startswith("vt ")], np.float64)
        corners = np.array(
            [[c.split("/")[:2] for c in line.split()[1:4]] for line in lines if line.startswith("f ")], np.int64
        )
    except (ValueError, IndexError) as error:
        raise AssetError(f"{path} is not the template of FLAME, or it is damaged.") from error
    if corners.shape[1:] != (3, 2) or len(uvs) == 0:
        return None
    index, places = corners[..., 0] - 1, corners[..., 1] - 1
    if len(index) != len(faces) or places.min() < 0 or places.max() >= len(uvs) or not np.isfinite(uvs).all():
        raise AssetError(f"{path} does not fit FLAME: it has {len(index)} faces, expected {len(faces)}.")
    if not np.array_equal(index, faces):
        theirs, ours = _canonical(index), _canonical(faces)
        order, rank = np.lexsort(theirs[0].T), np.lexsort(ours[0].T)
        if not np.array_equal(theirs[0][order], ours[0][rank]):
            raise AssetError(f"{path} does not fit the model: its triangles join other vertices.")
        turned = np.take_along_axis(places, theirs[1], axis=1)
        sorted_places = np.empty_like(places)
        sorted_places[rank] = turned[order]
        places = np.empty_like(places)
        np.put_along_axis(places, ours[1], sorted_places, axis=1)
    return uvs.astype(np.float32), places.astype(np.int32)


def _canonical(faces: Ints) -> tuple[Ints, Ints]:
    """Triangles turned so that their smallest vertex comes first, and the corners taken for that, both (F, 3)."""
    turns = (np.argmin(faces, axis=1)[:, None] + np.arange(3)) % 3
    return np.take_along_axis(faces, turns, axis=1), turns
