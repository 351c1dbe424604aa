# SPDX-License-Identifier: Apache-2.0
"""Named regions of vertices of the open head."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .build_assembly import MATERIALS, Assembly

__all__ = ["build_regions"]

Floats = npt.NDArray[np.floating[Any]]
Ints = npt.NDArray[np.integer[Any]]
Mask = npt.NDArray[np.bool_]


def _within(assembly: Assembly, material: str) -> Mask:
    """(V,) vertices all of whose polygons have a material."""
    wanted = assembly.materials == MATERIALS.index(material)
    inside, outside = np.zeros(assembly.count, bool), np.zeros(assembly.count, bool)
    for mask, faces in ((inside, assembly.polygons[wanted]), (outside, assembly.polygons[~wanted])):
        mask[faces[faces >= 0]] = True
    return inside & ~outside


def build_regions(assembly: Assembly, template: Floats) -> dict[str, Mask]:
    """Region name -> (V,) bool. On the skin they are bounded by simple surfaces in the frame of the head."""
    layout, count = assembly.layout, assembly.count
    skin = np.zeros(count, bool)
    skin[assembly.slices["skin"]] = True
    x, y, z = np.abs(template[:, 0]), template[:, 1], template[:, 2]

    def of(*parts: str) -> Mask:
        mask = np.zeros(count, bool)
        for part in parts:
            mask[assembly.slices[part]] = True
        return mask

    def rings(indices: Ints) -> Mask:
        mask = np.zeros(count, bool)
        mask[indices.ravel()] = True
        return mask

    mouth = _within(assembly, "mouth")
    lips = rings(layout.mouth_rings[layout.seam - 2 : layout.seam + 7])
    eye = template[assembly.slices["left_eye"]].mean(axis=0)
    socket = rings(layout.sockets)
    eyes = rings(layout.eye_rings[:, layout.first_lid : layout.first_lid + 8])
    outer = skin & ~mouth & ~socket
    seam = template[layout.mouth_rings[layout.seam]].mean(axis=0)
    tip = template[np.flatnonzero(outer)[np.argmax(z[outer] - 10 * x[outer])]]
    nose_half = np.interp(y, [tip[1] - 0.012, tip[1], tip[1] + 0.02, eye[1] + 0.008], [0.02, 0.023, 0.017, 0.011])
    nose = outer & (x < nose_half) & (y > tip[1] - 0.013) & (y < eye[1] + 0.006) & (z > tip[2] - 0.055) & ~eyes
    nose &= ~((y < tip[1] - 0.009) & (x < 0.008) & (z < tip[2] - 0.016))
    behind = eye[2] - z
    ears = outer & (x > 0.064) & (behind > 0.062) & (behind < 0.125) & (y < eye[1] + 0.016) & (y > eye[1] - 0.056)
    ears &= x > np.interp(y, [eye[1] - 0.056, eye[1] - 0.03], [0.072, 0.064])
    front = outer & (behind < 0.062) & (y > seam[1] - 0.058) & (y < eye[1] + 0.085)
    neck = outer & ~front & ~ears & (y < np.interp(z, [eye[2] - 0.2, eye[2] - 0.06], [eye[1] - 0.045, seam[1] - 0.035]))
    scalp = outer & ~front & ~ears & ~neck & ~nose
    brows = front & ~eyes & ~nose & (y > eye[1] + 0.009) & (y < eye[1] + 0.024) & (x > 0.008) & (x < 0.056)
    forehead = front & ~eyes & ~brows & ~nose & (y > eye[1] + 0.006)
    cheeks = front & ~eyes & ~nose & ~lips & (y <= eye[1] + 0.006) & (y > seam[1] - 0.022) & (x > 0.024)
    return {
        "skin": skin,
        "face": (front | lips | eyes | nose) & ~socket & ~mouth,
        "lips": lips,
        "eyes": eyes,
        "nose": nose,
        "brows": brows,
        "forehead": forehead,
        "cheeks": cheeks & ~ears,
        "ears": ears,
        "neck": neck,
        "scalp": scalp,
        "left_eyeball": of("left_eye"),
        "right_eyeball": of("right_eye"),
        "mouth_interior": mouth & ~lips,
        "sockets": socket,
        "teeth": of("upper_teeth", "lower_teeth"),
        "tongue": of("tongue"),
        "lashes": of("left_lashes", "right_lashes"),
        "tears": of("left_tears", "right_tears"),
        "brow_strips": of("left_brow", "right_brow"),
    }
