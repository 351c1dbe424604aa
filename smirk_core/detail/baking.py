# SPDX-License-Identifier: Apache-2.0
"""Detail as files for other programs: height and normal maps over the whole UV square, activations as a table.

Height maps are 16 bit grey PNGs: 32768 is level, a step is :data:`RANGE` / 65535 metres. Normal maps are 8 bit RGB in
the tangent frame of the UV map, x along u, y along v (OpenGL's way), z out of the skin.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import ExportError, TakeError
from ..export.atomic import atomic
from ..heads.decode import decode
from ..heads.head_model import HeadModel
from ..progress import Progress, silent
from ..take import Take
from .activation import ADULT, age_gain, take_activations
from .atlas import RANGE, png_bytes
from .groups import GROUP_NAMES
from .heights import wrinkle_maps
from .person import PersonDetail
from .surface import Frames, SkinSurface, Window, bilinear, skin_surface

__all__ = [
    "bake_groups",
    "bake_take",
    "normal_map",
    "person_height",
    "relief_height",
    "write_activations",
    "write_relief",
]

Floats = npt.NDArray[np.floating[Any]]


def person_height(person: PersonDetail, window: Window) -> Floats:
    """(H, W) float32 metres of a person's own relief, brought to another window or size of map."""
    own = person.window
    rows, columns = np.indices((window.height, window.width), dtype=np.float32)
    u = (window.left + columns + 0.5) / window.size
    v = 1 - (window.top + rows + 0.5) / window.size
    column, row = own.texels_of(np.stack([u.ravel(), v.ravel()], axis=1))
    inside = (column > -0.5) & (column < own.width - 0.5) & (row > -0.5) & (row < own.height - 0.5)
    value = np.where(inside, bilinear(person.height, column, row), 0.0)
    return value.reshape(window.height, window.width).astype(np.float32)


def relief_height(
    model: HeadModel, weights: Floats, *, size: int = 2048, person: PersonDetail | None = None
) -> tuple[Floats, Window]:
    """(H, W) float32 metres of all groups at weights (G,), and a person's own relief where there is one.

    Raises:
        AssetError: the head has no UVs or dense landmarks.
    """
    maps = wrinkle_maps(model, size)
    height = maps.surface.as_map(maps.height(weights))
    window = maps.surface.window
    return (height if person is None else height + person_height(person, window)), window


def normal_map(model: HeadModel, surface: SkinSurface, height: Floats, vertices: Floats | None = None) -> Floats:
    """(H, W, 3) float32 unit normals in the tangent frame of the UV map; (0, 0, 1) where nothing is raised.

    Args:
        model: the head.
        surface: its texels.
        height: (H, W) metres over the surface's window.
        vertices: (V, 3) the posed head; the template where not given.
    """
    frames = Frames.of(model, surface, model.template if vertices is None else vertices)
    down, right = np.gradient(np.asarray(height, np.float32))
    size = surface.window.size
    slopes = []
    for change, along in ((right, frames.along_u), (-down, frames.along_v)):
        metres = np.maximum(np.linalg.norm(along, axis=1), 1e-6)
        slopes.append(change.ravel()[surface.texels] * size / metres)
    normal = np.stack([-slopes[0], -slopes[1], np.ones_like(slopes[0])], axis=1)
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    picture = surface.as_map(normal.astype(np.float32))
    picture[..., 2] = np.where((picture**2).sum(axis=-1) > 0, picture[..., 2], 1.0)
    return picture


def bake_groups(
    model: HeadModel, folder: str | os.PathLike[str], *, size: int = 2048, age: float = ADULT,
    progress: Progress = silent,
) -> list[Path]:  # fmt: skip
    """Height and normal map of each group at its peak: ``GROUP_height.png`` and ``GROUP_normal.png``.

    Args:
        model: the head.
        folder: made where it is not there.
        size: texels to a side of the maps, the whole UV square.
        age: 0 child, 0.5 grown-up, 1 old.
        progress: called after every group; may raise ``Cancelled``.

    Raises:
        ExportError: the folder cannot be written. AssetError: the head has no UVs or dense landmarks.
    """
    maps, written = wrinkle_maps(model, size), []
    for index, name in enumerate(GROUP_NAMES):
        progress("Writing maps", index, len(GROUP_NAMES))
        height = age_gain(age) * maps.group_map(index)
        written += _write_maps(model, maps.surface, height, Path(folder) / name)
    progress("Writing maps", len(GROUP_NAMES), len(GROUP_NAMES))
    return written


def bake_take(
    model: HeadModel, take: Take, folder: str | os.PathLike[str], frames: Sequence[int], *, size: int = 2048,
    age: float = ADULT, strength: float = 1.0, person: PersonDetail | None = None, raw: bool = False,
    progress: Progress = silent,
) -> list[Path]:  # fmt: skip
    """Height and normal map of frames of a take: ``frame_00012_height.png`` and ``frame_00012_normal.png``.

    Args:
        model: the head of the take.
        take: the performance.
        folder: made where it is not there.
        frames: numbers of the take's frames, from 0.
        size, age, progress: as for :func:`bake_groups`.
        strength: of all wrinkles.
        person: whose detail it is.
        raw: the take without its filters.

    Raises:
        TakeError: a frame that the take does not have.
        ExportError: the folder cannot be written. AssetError: the head has no UVs or dense landmarks.
    """
    wrong = [f for f in frames if not 0 <= f < len(take)]
    if wrong:
        raise TakeError(f"The take has frames 0 to {len(take) - 1}, no frame {wrong[0]}.")
    groups = {k: np.asarray(v)[list(frames)] for k, v in take.parameters(raw=raw).items() if len(v)}
    acting = take_activations(model, groups, age, strength, None if person is None else person.shares)
    surface, written = skin_surface(model, size), []
    for number, frame in enumerate(frames):
        progress("Writing maps", number, len(frames))
        height, _ = relief_height(model, acting[number], size=size, person=person)
        posed = np.asarray(decode(model, {k: v[number : number + 1] for k, v in groups.items()}).vertices[0])
        written += _write_maps(model, surface, height, Path(folder) / f"frame_{frame:05d}", posed)
    progress("Writing maps", len(frames), len(frames))
    return written


def write_relief(
    model: HeadModel, weights: Floats, stem: str | os.PathLike[str], *, size: int = 2048,
    person: PersonDetail | None = None,
) -> list[Path]:  # fmt: skip
    """Height and normal map of all groups at weights (G,), as ``STEM_height.png`` and ``STEM_normal.png``.

    Raises:
        ExportError: the place cannot be written. AssetError: the head has no UVs or dense landmarks.
    """
    height, _ = relief_height(model, weights, size=size, person=person)
    return _write_maps(model, skin_surface(model, size), height, Path(stem))


def _write_maps(
    model: HeadModel, surface: SkinSurface, height: Floats, stem: Path, vertices: Floats | None = None
) -> list[Path]:
    window = surface.window
    box = (slice(window.top, window.top + window.height), slice(window.left, window.left + window.width))
    level = np.full((window.size, window.size), 32768, np.uint16)
    level[box] = np.clip(32768 + np.rint(height / (RANGE / 65535)), 0, 65535).astype(np.uint16)
    normal = np.full((window.size, window.size, 3), (128, 128, 255), np.uint8)
    unit = normal_map(model, surface, height, vertices)
    normal[box] = np.clip(np.rint(127.5 + 127.5 * unit), 0, 255).astype(np.uint8)
    normal[box][(unit == (0, 0, 1)).all(axis=2)] = (128, 128, 255)  # level, whatever rounding says
    written = []
    for kind, picture in (("height", level), ("normal", normal)):
        path = stem.with_name(f"{stem.name}_{kind}.png")
        with atomic(path) as temporary:
            temporary.write_bytes(png_bytes(picture))
        written.append(path)
    return written


def write_activations(
    model: HeadModel, take: Take, path: str | os.PathLike[str], *, age: float = ADULT, strength: float = 1.0,
    person: PersonDetail | None = None, raw: bool = False,
) -> Path:  # fmt: skip
    """How far each group is folded in every frame of a take, as ``.csv`` (time and a column a group) or ``.npz``.

    Args:
        model: the head of the take.
        take: the performance.
        path: ``NAME.csv`` or ``NAME.npz`` (``times``, ``activations`` and ``header``, JSON with the names).
        age, strength, person, raw: as for :func:`bake_take`.

    Raises:
        ExportError: another ending, or the place cannot be written.
    """
    path = Path(path)
    shares = None if person is None else person.shares
    values = take_activations(model, dict(take.parameters(raw=raw)), age, strength, shares)
    if path.suffix.lower() == ".csv":
        lines = ["time," + ",".join(GROUP_NAMES)]
        lines += [
            f"{time:.6f}," + ",".join(f"{v:.5f}" for v in row) for time, row in zip(take.times, values, strict=True)
        ]
        with atomic(path) as temporary:
            temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")
    elif path.suffix.lower() == ".npz":
        header: Mapping[str, Any] = {"groups": list(GROUP_NAMES), "age": age, "strength": strength, "head": model.name}
        with atomic(path) as temporary, temporary.open("wb") as file:
            np.savez_compressed(
                file, header=np.array(json.dumps(header)), times=take.times, activations=values.astype(np.float32)
            )
    else:
        raise ExportError(f"Cannot write '{path.name}': the name must end in .csv or .npz.")
    return path
