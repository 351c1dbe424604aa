# SPDX-License-Identifier: Apache-2.0
"""From an encoder's outputs to a mesh, its landmarks and its picture, with gradients."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..heads.decode import decode, landmark_points
from ..heads.head_model import HeadModel
from .mesh_render import MeshRenderer, Rendered, project_crop
from .torch_head import torch_head

__all__ = ["ENCODER_GROUPS", "FaceModel", "Mesh", "bounded", "groups_of"]

# name of an encoder's output -> name of the parameter group
ENCODER_GROUPS = {
    "pose_params": "rotation",
    "cam": "camera",
    "shape_params": "identity",
    "expression_params": "expression",
    "eyelid_params": "eyelids",
    "jaw_params": "jaw",
}


@dataclass(frozen=True)
class Mesh:
    """A batch of posed heads.

    Attributes:
        vertices: (B, V, 3) metres, head space turned by the head rotation.
        landmarks: name -> (B, L, 2) crop coordinates.
    """

    vertices: Tensor
    landmarks: dict[str, Tensor]


def groups_of(outputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """An encoder's outputs under the names of parameter groups; ``camera`` is the crop's (scale, tx, ty)."""
    return {ENCODER_GROUPS[k]: v for k, v in outputs.items() if k in ENCODER_GROUPS}


class _Bounded(torch.autograd.Function):
    """Clamp whose gradient stops only where it would push further out; a plain clamp never lets go of its edge."""

    @staticmethod
    def forward(ctx, values: Tensor, low: float, high: float) -> Tensor:  # type: ignore[override]
        ctx.save_for_backward(values)
        ctx.bounds = low, high
        return values.clamp(low, high)

    @staticmethod
    def backward(ctx, gradient: Tensor):  # type: ignore[override]
        (values,) = ctx.saved_tensors
        low, high = ctx.bounds
        stuck = ((values < low) & (gradient > 0)) | ((values > high) & (gradient < 0))
        return gradient.masked_fill(stuck, 0.0), None, None


def bounded(values: Tensor, low: float, high: float) -> Tensor:
    """``values`` within [low, high]; from outside, gradients lead back in (specification, section 9, defect 11)."""
    return _Bounded.apply(values, low, high)


class FaceModel(nn.Module):
    """A head model on a device.

    Args:
        model: any head.
        size: of the crop in pixels.
        expressions: keep that many of the head's expressions.
        landmarks: names of the embeddings to compute.
        backend: of the rasteriser.
    """

    def __init__(
        self,
        model: HeadModel,
        size: int = 224,
        *,
        expressions: int | None = None,
        landmarks: tuple[str, ...] = ("mediapipe_105",),
        backend: str = "auto",
    ) -> None:
        super().__init__()
        self.model, self.expressions = model, expressions
        self.landmark_names = tuple(n for n in landmarks if n in model.landmarks)
        self.renderer = MeshRenderer(model, size, backend=backend)
        self._heads: dict[torch.device, HeadModel] = {}

    def head(self, device: torch.device) -> HeadModel:
        """The head's arrays on a device, made once."""
        if device not in self._heads:
            self._heads[device] = torch_head(self.model, device, expressions=self.expressions)
        return self._heads[device]

    def mesh(self, groups: Mapping[str, Tensor]) -> Mesh:
        """Pose a batch of heads and project their landmarks with the crop camera in ``groups``."""
        with torch.autocast(groups["camera"].device.type, enabled=False):  # millimetres need all of float32
            groups = {k: v.float() for k, v in groups.items()}
            head = self.head(groups["camera"].device)
            vertices = decode(head, groups).vertices
            landmarks = {
                name: project_crop(landmark_points(head, vertices, self.model.landmarks[name]), groups["camera"])[
                    ..., :2
                ]
                for name in self.landmark_names
            }
        return Mesh(vertices, landmarks)

    def render(self, mesh: Mesh, camera: Tensor) -> Rendered:
        """The grey picture of a mesh."""
        with torch.autocast(camera.device.type, enabled=False):
            return self.renderer(mesh.vertices, camera.float())
