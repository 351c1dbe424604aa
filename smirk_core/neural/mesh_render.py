# SPDX-License-Identifier: Apache-2.0
"""SMIRK's grey render of the face: five lamps on the posed mesh, seen by the camera of the crop.

Convention: the crop spans [-1, 1], x right, y down, depth away from the camera. A point (X, Y, Z) of head space and a
camera (s, tx, ty) give x = s (X + tx), y = -s (Y + ty), depth = -s Z: the point (0.01, -0.02, 0.05) under
(7, 0.02, -0.01) lands at (0.21, 0.21, -0.35). Source: specification, sections 2.5 and 4.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from ..heads.head_model import HeadModel
from ..rendering.rasterizer import Fragments, interpolate, pixels_from_crop, rasterize

__all__ = ["MeshRenderer", "Rendered", "project_crop", "shade", "sub_mesh", "vertex_normals"]

_LIGHTS = ((-1.0, 1.0, 1.0), (1.0, 1.0, 1.0), (-1.0, -1.0, 1.0), (1.0, -1.0, 1.0), (0.0, 0.0, 1.0))
_INTENSITY = 1.7
_GREY = 180 / 255
_NEAR = -10.0  # the reference moves the mesh ten units away and drops what is still behind the camera


@dataclass(frozen=True)
class Rendered:
    """A batch of renders.

    Attributes:
        image: (B, 3, H, W) grey in [0, 0.8); 0 where there is no face, or its inside.
        projected: (B, V, 3) all vertices in crop coordinates.
        fragments: what each pixel sees, in triangles of :attr:`MeshRenderer.triangles`.
    """

    image: Tensor
    projected: Tensor
    fragments: Fragments

    @property
    def mask(self) -> Tensor:
        """(B, 1, H, W) bool, True where something was drawn."""
        return self.image.amax(1, keepdim=True) > 0


def project_crop(points: Tensor, camera: Tensor) -> Tensor:
    """(B, N, 3) head space and (B, 3) crop camera to (B, N, 3) crop coordinates."""
    scale = camera[:, None, :1]
    x = scale * (points[..., :1] + camera[:, None, 1:2])
    y = -scale * (points[..., 1:2] + camera[:, None, 2:3])
    return torch.cat([x, y, -scale * points[..., 2:]], dim=-1)


def sub_mesh(triangles: npt.ArrayLike, keep: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """Triangles (F, 3) whose three vertices are all in ``keep`` (K,), renumbered by their place in it."""
    triangles, keep = np.asarray(triangles, np.int64), np.asarray(keep, np.int64)
    place = np.full(max(int(triangles.max(initial=-1)), int(keep.max(initial=-1))) + 1, -1)
    place[keep] = np.arange(len(keep))
    renumbered = place[triangles]
    return renumbered[(renumbered >= 0).all(axis=1)]


def vertex_normals(vertices: Tensor, triangles: Tensor) -> Tensor:
    """(B, V, 3) unit normals: the sum over a vertex's triangles of their cross products, weighted by area."""
    a, b, c = (vertices[:, triangles[:, k]] for k in range(3))
    faces = torch.linalg.cross(b - a, c - a)
    total = torch.zeros_like(vertices)
    for k in range(3):
        total = total.index_add(1, triangles[:, k], faces)
    return total / total.norm(dim=-1, keepdim=True).clamp_min(1e-6)


def shade(normals: Tensor) -> Tensor:
    """(..., 3) normals to (...) light: mean over five lamps of 1.7 max(n . l, 0), times the grey 180/255."""
    lights = nn.functional.normalize(torch.tensor(_LIGHTS, device=normals.device, dtype=normals.dtype), dim=-1)
    return (normals @ lights.T).clamp(0, 1).mean(-1) * (_INTENSITY * _GREY)


class MeshRenderer(nn.Module):
    """Draws the face of a head model.

    Args:
        model: any head with a region ``face``.
        size: of the square picture in pixels.
        full_head: draw all triangles instead of the face.
        backend: of :func:`smirk_core.rendering.rasterizer.rasterize`.
    """

    vertices: Tensor
    triangles: Tensor

    def __init__(self, model: HeadModel, size: int = 224, *, full_head: bool = False, backend: str = "auto") -> None:
        super().__init__()
        keep = np.arange(len(model.template)) if full_head else np.flatnonzero(model.regions["face"])
        self.size, self.backend = size, backend
        self.register_buffer("vertices", torch.from_numpy(keep.astype(np.int64)), persistent=False)
        self.register_buffer("triangles", torch.from_numpy(sub_mesh(model.triangles, keep)), persistent=False)

    def forward(self, vertices: Tensor, camera: Tensor) -> Rendered:
        """Draw posed vertices (B, V, 3), metres in head space, with crop cameras (B, 3).

        Gradients reach vertices and camera through the shading inside the outline, not through the outline.
        """
        projected = project_crop(vertices, camera)
        face = vertices[:, self.vertices]
        normals = vertex_normals(face, self.triangles)
        pixels = pixels_from_crop(projected[:, self.vertices], self.size, self.size)
        fragments = rasterize(pixels, self.triangles, self.size, self.size, near=_NEAR, backend=self.backend)
        light = shade(interpolate(fragments, self.triangles, normals)) * fragments.covered
        return Rendered(light[:, None].expand(-1, 3, -1, -1), projected, fragments)
