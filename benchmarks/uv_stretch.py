# SPDX-License-Identifier: Apache-2.0
"""How much the open head's texture layout stretches the skin: ``python -m benchmarks.uv_stretch``.

Of every triangle: the ratio of the largest to the smallest scale (1: angles are kept), the symmetric Dirichlet energy
after the best overall scale (4: nothing is stretched at all), and texels per millimetre at 1024 pixels. Weighted by
area on the head.
"""

from __future__ import annotations

import json
import sys

import numpy as np

from smirk_core.heads.head_model import HeadModel
from smirk_core.heads.library import load_head
from smirk_core.heads.unwrap import reference_frames, stretch


def measure(model: HeadModel) -> dict[str, dict[str, float]]:
    """Region -> figure -> value, for the visible face, the face with lids and lips, and the outside of the head."""
    face = model.triangle_region("face")
    folded = model.triangle_region("lips") | model.triangle_region("eyes")
    skin = model.triangle_region("skin") & ~model.triangle_region("mouth_interior")
    hidden = model.regions["sockets"][model.triangles].any(axis=1)
    rows = {}
    for name, mask in (("face", face & ~folded), ("face_with_lids_and_lips", face), ("whole", skin & ~hidden)):
        frames = reference_frames(model.template.astype(np.float64), model.triangles[mask])
        values = stretch(model.uvs.astype(np.float64), model.triangle_uvs[mask], frames)
        area = np.linalg.det(frames) / 2
        scale = np.sqrt(values.prod(axis=1))
        even = values / np.exp(np.average(np.log(scale), weights=area))
        energy = (even**2 + even**-2.0).sum(axis=1)

        def at(figure: np.ndarray, share: float, area: np.ndarray = area) -> float:
            order = np.argsort(figure)
            return round(float(np.interp(share, np.cumsum(area[order]) / area.sum(), figure[order])), 3)

        ratio = values[:, 0] / values[:, 1]
        drawn = float((values.prod(axis=1) * area).sum())
        rows[name] = {
            "ratio_median": at(ratio, 0.5), "ratio_p95": at(ratio, 0.95),
            "energy_median": at(energy, 0.5), "energy_p95": at(energy, 0.95),
            "texels_per_mm_median": round(at(scale, 0.5) * 1024 / 1000, 3), "flipped": int((values[:, 1] <= 0).sum()),
            "share_of_square": round(drawn, 3),
        }  # fmt: skip
    return rows


if __name__ == "__main__":
    sys.stdout.write(json.dumps(measure(load_head("open")), indent=2) + "\n")
