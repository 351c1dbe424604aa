# SPDX-License-Identifier: Apache-2.0
"""The bundled open head: reads ``assets/open_head.npz`` (CC0) into a :class:`HeadModel`."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import AssetError
from ..safe_npz import read_arrays
from .check_head import check_head
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
        arrays = read_arrays(path)
    except FileNotFoundError as error:
        raise AssetError(f"There is no head file {path}.") from error
    except OSError as error:
        raise AssetError(f"Cannot read the head file {path}: {error.strerror or error}.") from error
    except ValueError as error:
        raise AssetError(f"{path} is not an open-head file, or it is damaged ({error}).") from error
    try:
        with np.errstate(all="ignore"):  # what is not finite is found by the check
            model = _model(arrays)
        check_head(model)
    except KeyError as error:
        raise AssetError(f"{path} is not an open-head file, or it is damaged (it has no {error}).") from error
    except (ValueError, TypeError, AttributeError, IndexError, RecursionError) as error:
        raise AssetError(f"{path} is not an open-head file, or it is damaged ({error}).") from error
    return model


def _model(arrays: dict[str, npt.NDArray[Any]]) -> HeadModel:
    header = json.loads(str(arrays.pop("header")[()]))
    floats: dict[str, Any] = {k: arrays[k].astype(np.float32) for k in _FLOATS}
    integers: dict[str, Any] = {k: arrays[k].astype(np.int32) for k in _INTEGERS}
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
        name=_text(header["name"]),
        digest=_text(header["digest"]),
        expression_names=tuple(map(_text, header["expression_names"])),
        joint_names=tuple(map(_text, header["joint_names"])),
        joint_parents=tuple(header["joint_parents"]),
        material_names=tuple(map(_text, header["material_names"])),
        angles=dict(header["angles"]),
        regions={k.removeprefix("region/"): v for k, v in arrays.items() if k.startswith("region/")},
        landmarks=landmarks,
        **floats,
        **integers,
    )


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r:.40} is not text")
    return value
