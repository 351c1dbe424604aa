# SPDX-License-Identifier: Apache-2.0
"""The bundled open head: reads ``assets/open_head.npz`` (CC0) into a :class:`HeadModel`."""

from __future__ import annotations

import json
import zipfile
from functools import lru_cache
from pathlib import Path

import numpy as np

from ..errors import AssetError
from .head_model import HeadModel, LandmarkEmbedding

__all__ = ["OPEN_HEAD_PATH", "load_open_head"]

OPEN_HEAD_PATH = Path(__file__).parent.parent / "assets" / "open_head.npz"
_FLOATS = (
    "template", "identity_basis", "expression_basis", "eyelid_basis", "corrective_basis",
    "joint_regressor", "skinning_weights", "uvs",
)  # fmt: skip
_INTEGERS = ("polygons", "corrective_features", "polygon_uvs", "polygon_materials")


@lru_cache(maxsize=4)
def load_open_head(path: Path = OPEN_HEAD_PATH) -> HeadModel:
    """Read an open-head asset; arrays come back as float32 and int32, whatever precision is stored.

    The file is a plain ``.npz`` without pickles: the arrays of :class:`HeadModel` under their own names,
    ``region/NAME`` (V,) bool, ``landmark/NAME/{triangles,barycentric,weight}`` and ``header``, a JSON string.

    Raises:
        AssetError: the file is missing, damaged or of another kind.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {k: file[k] for k in file.files}
        header = json.loads(str(arrays.pop("header")[()]))
        floats = {k: arrays[k].astype(np.float32) for k in _FLOATS}
        integers = {k: arrays[k].astype(np.int32) for k in _INTEGERS}
    except FileNotFoundError as error:
        raise AssetError(f"There is no head file {path}.") from error
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise AssetError(f"{path} is not an open-head file, or it is damaged.") from error
    # Half-precision storage leaves rows that miss 1 by a rounding; skinning must not shrink anything.
    for name in ("skinning_weights", "joint_regressor"):
        floats[name] /= floats[name].sum(axis=1, keepdims=True)
    landmarks = {}
    for name in {k.split("/")[1] for k in arrays if k.startswith("landmark/")}:
        barycentric = arrays[f"landmark/{name}/barycentric"].astype(np.float32)
        landmarks[name] = LandmarkEmbedding(
            triangles=arrays[f"landmark/{name}/triangles"].astype(np.int32),
            barycentric=barycentric / barycentric.sum(axis=1, keepdims=True),
            weight=arrays[f"landmark/{name}/weight"].astype(np.float32),
        )
    return HeadModel(
        name=header["name"],
        digest=header["digest"],
        expression_names=tuple(header["expression_names"]),
        joint_names=tuple(header["joint_names"]),
        joint_parents=tuple(header["joint_parents"]),
        material_names=tuple(header["material_names"]),
        angles=header["angles"],
        regions={k.removeprefix("region/"): v for k, v in arrays.items() if k.startswith("region/")},
        landmarks=landmarks,
        **floats,
        **integers,
    )
