# SPDX-License-Identifier: Apache-2.0
"""A take as Wavefront OBJ meshes: one file for a photo or a chosen frame, a numbered sequence for a clip.

Metres, y up, face towards +z, as in head space; quads stay quads, texture coordinates and material names included.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from ..errors import ExportError
from ..heads.decode import decode
from ..heads.head_model import HeadModel
from ..progress import Progress, silent
from ..take import Take
from .atomic import atomic
from .curves import check_head

__all__ = ["write_obj"]


def _faces(head: HeadModel) -> str:
    """All ``f`` lines, grouped by material."""
    polygons, uvs = head.polygons + 1, head.polygon_uvs + 1
    lines = []
    for material, name in enumerate(head.material_names):
        chosen = head.polygon_materials == material
        if not chosen.any():
            continue
        lines.append(f"usemtl {name}\n")
        for corners, kind in ((3, polygons[:, 3] <= 0), (4, polygons[:, 3] > 0)):
            rows = np.stack([polygons[chosen & kind], uvs[chosen & kind]], axis=-1)[:, :corners]
            lines.append(("f" + " %d/%d" * corners + "\n") * len(rows) % tuple(rows.ravel().tolist()))
    return "".join(lines)


def write_obj(
    take: Take,
    head: HeadModel,
    path: str | os.PathLike[str],
    *,
    frame: int | None = None,
    raw: bool = False,
    progress: Progress = silent,
) -> list[Path]:
    """Write ``NAME.obj`` for a photo or one ``frame``, else ``NAME_00000.obj`` onwards.

    Args:
        frame: index into the take, negative from its end; ``None`` for all.

    Returns:
        The files written.

    Raises:
        TakeError: the take was made with another head.
        ExportError: there is no such frame, or a file cannot be written; then none is left behind.
    """
    check_head(take, head)
    path = Path(path)
    count = len(take)
    if frame is not None and not -count <= frame < count:
        raise ExportError(f"There is no frame {frame}; the take has {count}, counted from 0.")
    frames = range(count) if frame is None else range(frame % count, frame % count + 1)
    single = len(frames) == 1
    constant = ("vt %.6f %.6f\n" * len(head.uvs)) % tuple(head.uvs.ravel().tolist()) + _faces(head)
    row = "v %.7f %.7f %.7f\n" * len(head.template)
    parameters = take.parameters(raw=raw)
    written: list[Path] = []
    try:
        for done, index in enumerate(frames):
            progress("Writing meshes", done, len(frames))
            target = path if single else path.with_name(f"{path.stem}_{index:05d}{path.suffix}")
            posed = decode(head, {k: v[index : index + 1] for k, v in parameters.items()})
            vertices = np.asarray(posed.vertices[0], np.float64)
            with atomic(target) as temporary:
                title = f"# {head.name}, {take.times[index]:.4f} s; metres, y up\no head\n"
                temporary.write_text(title + row % tuple(vertices.ravel().tolist()) + constant, encoding="utf-8")
            written.append(target)
    except BaseException:
        for target in written:
            target.unlink(missing_ok=True)
        raise
    progress("Writing meshes", len(frames), len(frames))
    return written
