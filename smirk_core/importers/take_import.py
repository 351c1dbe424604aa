# SPDX-License-Identifier: Apache-2.0
"""Parameter files of SMIRK, DECA, EMOCA and INFERNO as takes on FLAME."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .. import __version__
from ..errors import TakeError
from ..heads.head_model import HeadModel
from ..progress import Progress, silent
from ..take import Take, TakeInfo
from .crop_camera import camera_to_frame
from .dialects import Dialect, detect, make_dialect
from .read import Record, read_records

__all__ = ["import_take"]

Floats = npt.NDArray[np.floating[Any]]
# How wide each of them may be; None: any width that the head can take.
_WIDTHS: dict[str, tuple[int, ...] | None] = {
    "shape": None, "expression": None, "pose": (3, 6, 15), "jaw": (3,), "neck": (3,), "eyes": (6,), "eyelids": (2,),
    "camera": (3,), "tform": (3,),
}  # fmt: skip
_MOST_FRAMES = 1_000_000


def import_take(
    path: str | os.PathLike[str],
    head: HeadModel,
    *,
    dialect: str = "auto",
    rate: float = 25.0,
    size: tuple[int, int] = (0, 0),
    source: str = "",
    progress: Progress = silent,
) -> Take:
    """A take from another program's parameters. docs/importing.md states the conventions.

    Args:
        path: a file, or a folder of frames; see :func:`smirk_core.importers.read.read_records`.
        head: the FLAME that the take is for. Shorter vectors are padded with zeros; of longer ones the coefficients
            that the head does not have are left out, and the take's notes say so.
        dialect: whose parameters they are, or ``auto``.
        rate: frames per second. Where the files of a folder carry frame numbers, gaps between them stay gaps in time.
        size: width and height of the footage in pixels, (0, 0) where unknown; a camera needs it to be of use.
        source: path of the footage.

    Returns:
        A take with a ``camera`` where the files hold both the crop's camera and its transform, else without.

    Raises:
        TakeError: nothing to import, or arrays that do not fit each other. AssetError: a file asks for what is not
            allowed, or is no file of its kind. Cancelled: by ``progress``.
    """
    path = Path(path)
    if not path.exists():
        raise TakeError(f"There is no file or folder {path}.")
    if not 0 < rate < 10_000:
        raise TakeError(f"A rate of {rate:g} frames per second cannot be.")
    records = read_records(path, progress)
    names = frozenset().union(*(r.arrays for r in records))
    others = frozenset().union(*(r.others for r in records))
    chosen = detect(names | others, str(path)) if dialect == "auto" else make_dialect(dialect)
    columns = _stack(records, chosen)
    count = len(next(iter(columns.values())))
    notes: list[str] = []
    if head.name.startswith("flame-2023"):
        notes.append("the expressions are FLAME 2020's and look different on this FLAME 2023")

    pose = columns.get("pose", np.zeros((count, 3)))
    zeros = np.zeros((count, 3))
    eyes = columns.get("eyes", pose[:, 9:15] if pose.shape[1] == 15 else np.zeros((count, 6)))
    jaw_of = {3: zeros, 6: pose[:, 3:6], 15: pose[:, 6:9]}[pose.shape[1]]
    groups = {
        "expression": _fit(columns.get("expression", np.zeros((count, 0))), head.expression_size, "expression", notes),
        "eyelids": columns.get("eyelids", np.zeros((count, 2))),
        "jaw": columns.get("jaw", jaw_of),
        "rotation": pose[:, :3],
        "neck": columns.get("neck", pose[:, 3:6] if pose.shape[1] == 15 else zeros),
        "eyes": eyes[:, [0, 1, 3, 4]],
        "confidence": np.ones((count, 1)),
        "visibility": np.ones((count, 1)),
    }
    if "camera" in columns and "tform" in columns:
        camera = camera_to_frame(columns["camera"], columns["tform"].reshape(count, 3, 3))
        if camera is None:
            notes.append("no camera: the crop is turned or its transform is not from frame to crop pixels")
        else:
            groups["camera"] = camera
    elif "camera" in columns:
        notes.append("no camera: the crop's transform is not in the file")

    shapes = _fit(columns.get("shape", np.zeros((count, 0))), head.identity_size, "identity", notes)
    identity = np.median(shapes, axis=0)
    if (spread := float(np.abs(shapes - identity).max(initial=0))) > 1e-6:
        notes.append(f"identity is the median of all frames, which differ by up to {spread:.2g}")
    info = TakeInfo(
        source=source, kind="photo" if count == 1 else "video", rate=0.0 if count == 1 else rate,
        width=size[0], height=size[1], head=head.name, head_digest=head.digest, encoder=chosen.name,
        software=f"smirk {__version__}, from {chosen.title}: {path.name}", notes="; ".join(notes),
    )  # fmt: skip
    return Take(info, _times(records, count, rate), identity, groups, groups)


def _stack(records: list[Record], dialect: Dialect) -> dict[str, Floats]:
    """What we call it -> (N, width) over all records; what a record has once is repeated over its frames."""
    first = dialect.find(records[0].arrays)
    if not first.keys() & {"expression", "pose", "jaw"}:
        there = ", ".join(sorted(records[0].others | set(records[0].arrays))[:8]) or "nothing"
        raise TakeError(f"{records[0].where} holds no parameters of {dialect.title} (found: {there}).")
    parts: dict[str, list[Floats]] = {ours: [] for ours in first}
    frames = 0
    for record in records:
        if dialect.find(record.arrays).keys() != first.keys():
            raise TakeError(f"{record.where} does not hold the same parameters as {records[0].where}.")
        rows = {ours: _rows(ours, name, record) for ours, name in first.items()}
        count = max(len(r) for r in rows.values())
        frames += count
        if frames > _MOST_FRAMES:
            raise TakeError(f"There are more than {_MOST_FRAMES} frames in {record.where}.")
        for ours, values in rows.items():
            if len(values) not in (1, count):
                raise TakeError(
                    f"'{first[ours]}' in {record.where} has {len(values)} frames where others have {count}."
                )
            parts[ours].append(np.broadcast_to(values, (count, values.shape[1])))
    for ours, values in parts.items():
        widths = sorted({v.shape[1] for v in values})
        if len(widths) > 1:
            raise TakeError(f"'{first[ours]}' has {widths[0]} numbers in one frame and {widths[-1]} in another.")
    return {ours: np.concatenate(values) for ours, values in parts.items()}


def _rows(ours: str, name: str, record: Record) -> Floats:
    """(n, width) float64 of one array, whatever singleton axes it has."""
    array = record.arrays[name]
    shape, widths = array.shape, _WIDTHS[ours]
    if ours == "tform":
        fits = array.ndim >= 2 and shape[-2:] == (3, 3)
        width = 9
    else:
        width = shape[-1] if shape else 0
        fits = array.ndim >= 1 and (width in widths if widths is not None else 1 <= width <= 1000)
    many = [n for n in shape[:-2] if n > 1] if ours == "tform" else [n for n in shape[:-1] if n > 1]
    if not fits or len(many) > 1:
        wanted = "3 x 3" if ours == "tform" else "1 to 1000" if widths is None else " or ".join(map(str, widths))
        raise TakeError(f"'{name}' in {record.where} has the shape {shape}; each frame needs {wanted} numbers.")
    if not (np.abs(array) < 1e6).all():
        raise TakeError(f"'{name}' in {record.where} holds numbers that no face has.")
    return array.reshape(-1, width).astype(np.float64)


def _fit(values: Floats, size: int, what: str, notes: list[str]) -> Floats:
    """(N, w) padded with zeros, or cut, to (N, size)."""
    have = values.shape[1]
    if have > size and (lost := float(np.abs(values[:, size:]).max(initial=0))) > 0:
        notes.append(f"{what} coefficients {size + 1} to {have} are left out, the head has none (largest {lost:.2g})")
    return np.pad(values[:, :size], ((0, 0), (0, max(0, size - have))))


def _times(records: list[Record], count: int, rate: float) -> Floats:
    """Seconds: by the frame numbers in the files' names where each file is a frame and they rise, else one by one."""
    numbers = [r.number for r in records]
    if len(records) == count and count > 1 and None not in numbers:
        given = np.array(numbers, dtype=np.float64)
        if (np.diff(given) > 0).all() and given[-1] - given[0] < _MOST_FRAMES:
            return (given - given[0]) / rate
    return np.arange(count) / rate
