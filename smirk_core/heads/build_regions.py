# SPDX-License-Identifier: Apache-2.0
"""Named regions of vertices and the texture layout of the open head."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .build_assembly import MATERIALS, Assembly

__all__ = ["build_regions", "build_uvs"]

Floats = npt.NDArray[np.floating[Any]]
Ints = npt.NDArray[np.integer[Any]]
Mask = npt.NDArray[np.bool_]
Box = tuple[float, float, float, float]  # left, bottom, right, top


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
        "brow_strips": of("left_brow", "right_brow"),
    }


def _fit(points: Floats, box: Box) -> Floats:
    """Scale (n, 2) points into a box (left, bottom, right, top), keeping their proportions."""
    low, high = points.min(axis=0), points.max(axis=0)
    scale = min((box[2] - box[0]) / (high[0] - low[0]), (box[3] - box[1]) / (high[1] - low[1]))
    return (points - low) * scale + [box[0], box[1]]


def build_uvs(assembly: Assembly, template: Floats) -> tuple[Floats, Ints]:
    """(T, 2) texture points and (P, 4) indices.

    The outer skin is unrolled around the head with its seam at the back of the midline: the face is upright in the
    middle of the square. Mouth, sockets and every other part have islands of their own in a strip at the bottom.
    """
    eyes = np.mean([template[assembly.slices[n]].mean(axis=0) for n in ("left_eye", "right_eye")], axis=0)
    offset = template - (eyes - [0, 0, 0.085])
    polygons, part = assembly.polygons, assembly.polygon_part
    points: list[Floats] = []
    indices = np.full(polygons.shape, -1)
    count = 0

    def island(mask: Mask, plane: Floats, box: Box | None, seam: Mask | None = None) -> None:
        nonlocal count
        corners = polygons[mask]
        # A vertex on the seam has two texture points; the polygon's side of the head chooses.
        keys = corners * 2
        if seam is not None:
            side = template[corners, 0].mean(axis=1) < 0
            keys = keys + (seam[corners] & side[:, None])
        keys = np.where(corners >= 0, keys, -1)
        used = np.unique(keys[keys >= 0])
        flat = plane[used // 2].copy()
        if seam is not None:
            flat[(used % 2) == 1, 0] *= -1
        points.append(_fit(flat, box) if box else flat)
        indices[mask] = np.where(keys >= 0, count + np.searchsorted(used, keys), -1)
        count += len(used)

    skin = part == "skin"
    socket = np.zeros(assembly.count, bool)
    socket[assembly.layout.sockets.ravel()] = True
    mouth = skin & (assembly.materials == MATERIALS.index("mouth"))
    sockets = skin & socket[polygons].any(axis=1)
    outer = skin & ~mouth & ~sockets

    # Around: the angle, wider in front. Up: the height, with flat parts (crown, under the chin) pulled apart.
    radius = np.hypot(offset[:, 0], offset[:, 2])
    angle = np.arctan2(np.abs(offset[:, 0]), offset[:, 2]) / np.pi
    around = np.where(offset[:, 0] < 0, -1, 1) * angle**0.85
    pull = np.interp(offset[:, 1], [-0.11, -0.06, 0.05, 0.12], [0.45, 0.0, 0.0, -0.55])
    height = offset[:, 1] + pull * radius
    low, high = height[assembly.slices["skin"]].min(), height[assembly.slices["skin"]].max()
    plane = np.stack([0.5 + 0.495 * around, 0.13 + 0.865 * (height - low) / (high - low)], axis=1) - [0.5, 0]
    back = (np.abs(template[:, 0]) < 1e-7) & (offset[:, 2] < 0)
    island(outer, plane, None, seam=back)
    points[0] += [0.5, 0]

    front = template[:, :2]
    island(mouth, np.stack([template[:, 0], template[:, 1] * 0.6 + template[:, 2]], axis=1), (0.005, 0.005, 0.12, 0.12))
    left = template[polygons[:, 0], 0] > 0
    island(sockets & left, front, (0.125, 0.065, 0.18, 0.12))
    island(sockets & ~left, front, (0.125, 0.005, 0.18, 0.06))
    for name, box, sign in (("left_eye", (0.19, 0.005, 0.30, 0.12), 1), ("right_eye", (0.31, 0.005, 0.42, 0.12), -1)):
        # The eye as seen from the front, its back folded outward: the pupil is the middle.
        ball = assembly.ball / np.linalg.norm(assembly.ball, axis=1, keepdims=True)
        reach = np.arccos(np.clip(ball[:, 2], -1, 1))
        length = np.maximum(np.hypot(ball[:, 0], ball[:, 1]), 1e-9)
        disc = np.zeros((assembly.count, 2))
        disc[assembly.slices[name]] = ball[:, :2] / length[:, None] * reach[:, None] * [sign, 1]
        island(part == name, disc, box)
    arch = np.stack([np.arctan2(template[:, 0], offset[:, 2] + 0.03), template[:, 1] * 14], axis=1)
    island(part == "upper_teeth", arch, (0.43, 0.065, 0.60, 0.12))
    island(part == "lower_teeth", arch, (0.43, 0.005, 0.60, 0.06))
    island(part == "tongue", template[:, [0, 2]], (0.61, 0.005, 0.70, 0.12))
    strips = (
        ("left_lashes", (0.71, 0.065, 0.78, 0.12)), ("right_lashes", (0.71, 0.005, 0.78, 0.06)),
        ("left_brow", (0.79, 0.065, 0.90, 0.12)), ("right_brow", (0.79, 0.005, 0.90, 0.06)),
    )  # fmt: skip
    for name, box in strips:
        island(part == name, front, box)
    return np.concatenate(points), indices
