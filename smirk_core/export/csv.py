# SPDX-License-Identifier: Apache-2.0
"""A take as a table: one row a frame, the 52 ARKit weights and the angles of head and eyes.

Two layouts. ``plain`` has a ``time`` column in seconds and the names as everywhere in this project. ``livelink`` has
the header of Live Link Face recordings (``Timecode,BlendShapeCount,EyeBlinkLeft,...``), which many importers look for.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from ..errors import ExportError
from ..heads.head_model import HeadModel
from ..heads.parameters import ARKIT_NAMES
from ..take import Take
from .atomic import atomic
from .curves import curves_of

__all__ = ["write_csv"]

_LIVELINK_ANGLES = (
    "HeadYaw", "HeadPitch", "HeadRoll", "LeftEyeYaw", "LeftEyePitch", "LeftEyeRoll",
    "RightEyeYaw", "RightEyePitch", "RightEyeRoll",
)  # fmt: skip


def timecodes(times: np.ndarray, rate: float) -> list[str]:
    """(N,) seconds to ``HH:MM:SS:FF.mmm``, frames counted at ``rate`` per second."""
    milli = np.rint(np.asarray(times) * rate * 1000).astype(np.int64)
    frames, milli = np.divmod(milli, 1000)
    seconds, frames = np.divmod(frames, max(round(rate), 1))
    rows = np.stack([seconds // 3600, seconds // 60 % 60, seconds % 60, frames, milli], axis=1)
    return [f"{h:02}:{m:02}:{s:02}:{f:02}.{p:03}" for h, m, s, f, p in rows.tolist()]


def write_csv(
    take: Take, head: HeadModel, path: str | os.PathLike[str], *, layout: str = "plain", raw: bool = False
) -> Path:
    """Write ``path``; weights without unit, angles in radians (see :func:`smirk_core.export.curves.yaw_pitch_roll`).

    Args:
        layout: ``plain`` or ``livelink``. Live Link's table has eye roll columns; eyes do not roll, so they are 0.
        raw: the curves before filtering.

    Raises:
        TakeError: the take was made with another head.
        ExportError: the file cannot be written, or a head without ARKit's expressions was asked for Live Link's table.
        ValueError: unknown layout.
    """
    if layout == "livelink" and not head.angles:
        raise ExportError(
            f"Live Link's table needs ARKit's curves, which {head.name} does not have; use --layout plain."
        )
    curves = curves_of(take, head, raw=raw)
    count = len(curves.times)
    if layout == "plain":
        header = ("time", *curves.names)
        table = np.concatenate([curves.times[:, None], curves.table], axis=1)
        first, line = [""] * count, ",".join(["%.6f"] * table.shape[1])
    elif layout == "livelink":
        names = [n[0].upper() + n[1:] for n in ARKIT_NAMES]
        header = ("Timecode", "BlendShapeCount", *names, *_LIVELINK_ANGLES)
        none = np.zeros((count, 1))
        angles = np.concatenate([curves.angles[:, :5], none, curves.angles[:, 5:], none], axis=1)
        table = np.concatenate([curves.weights, angles], axis=1)
        first = [f"{t},{table.shape[1]}," for t in timecodes(curves.times, take.info.rate or 25.0)]
        line = ",".join(["%.9f"] * table.shape[1])
    else:
        raise ValueError(f"unknown layout {layout!r}")
    body = [start + line % tuple(row) for start, row in zip(first, table.tolist(), strict=True)]
    with atomic(path) as temporary:
        temporary.write_text("\n".join([",".join(header), *body, ""]), encoding="ascii")
    return Path(path)
