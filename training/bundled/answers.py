# SPDX-License-Identifier: Apache-2.0
"""What the bundled encoder answers, as one row of numbers per face, and the truth in the same form.

A row holds the parameter groups in units of their spread, places of dense points of the head's skin in the crop, how
unsure each of these is, and how much of each region of the face is to be seen.

Convention: crop coordinates span [-1, 1], x right, y down, as in :mod:`smirk_core.neural.mesh_render`. The point
(0.01, -0.02, 0.05) under the crop camera (7, 0.02, -0.01) lies at (0.21, 0.21).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from smirk_core.encoder.extras import DENSE_POINTS, REGIONS, dense_points, region_masks
from smirk_core.heads.arkit import arkit_from_groups
from smirk_core.heads.decode import decode
from smirk_core.heads.head_model import HeadModel
from smirk_core.neural.mesh_render import project_crop
from smirk_core.neural.torch_head import torch_head

from ..data.reduced_head import reduced_head

__all__ = ["FACE_GROUPS", "GROUPS", "Answers"]

FACE_GROUPS = ("expression", "eyelids", "jaw", "eyes")  # those with an uncertainty of their own
GROUPS = (*FACE_GROUPS, "rotation", "camera", "identity")
# Typical sizes: a third of an expression's weight and so on; a jaw goes less to the side than down. Only the balance
# of training depends on them.
_SPREAD: dict[str, float | tuple[float, ...]] = {
    "expression": 0.25, "eyelids": 0.35, "jaw": (0.08, 0.02, 0.02), "eyes": 0.15, "rotation": 0.25, "identity": 0.35,
}  # fmt: skip
_CAMERA = ((10.5, 0.0035, 0.004), (1.2, 0.025, 0.016))  # mean and spread of a crop camera (1 / m, m, m)


@dataclass(frozen=True)
class Part:
    """Columns of an answer."""

    name: str
    start: int
    stop: int

    @property
    def columns(self) -> slice:
        return slice(self.start, self.stop)


class Answers:
    """The layout of an answer for one head.

    Args:
        model: with ARKit's expressions.
        device: of the tensors.
    """

    def __init__(self, model: HeadModel, device: torch.device | str = "cpu") -> None:
        self.model, self.device = model, torch.device(device)
        sizes = {
            "expression": model.expression_size, "eyelids": 2, "jaw": 3, "eyes": 4, "rotation": 3, "camera": 3,
            "identity": model.identity_size, "points": 2 * DENSE_POINTS,
            "face_sigma": model.expression_size + 9, "point_sigma": DENSE_POINTS, "visibility": len(REGIONS),
        }  # fmt: skip
        edges = list(accumulate(sizes.values(), initial=0))
        self.parts = {n: Part(n, a, b) for n, (a, b) in zip(sizes, pairwise(edges), strict=True)}
        self.size = edges[-1]
        scale, mean = torch.ones(self.size), torch.zeros(self.size)
        for name, spread in _SPREAD.items():
            scale[self.parts[name].columns] = torch.tensor(spread)
        camera = self.parts["camera"].columns
        mean[camera], scale[camera] = torch.tensor(_CAMERA[0]), torch.tensor(_CAMERA[1])
        self.points = dense_points(model)  # (P,) vertices
        keep = np.isin(model.triangles, self.points).any(1)
        part = reduced_head(model, keep)
        place = np.full(len(model.template), -1)
        place[part.vertices] = np.arange(len(part.vertices))
        self._rows = torch.as_tensor(place[self.points], device=device)
        self.head = torch_head(part.model, device)
        mean[self.parts["points"].columns] = self._mean_places().reshape(-1)
        scale[self.parts["points"].columns] = 0.15
        self.mean, self.scale = mean.to(device), scale.to(device)
        self.regions = torch.from_numpy(region_masks(model)[:, self.points]).to(device)  # (R, P) bool
        self.motion = self._motion(model).to(device)  # (expression + 9, 3 P) metres a unit

    def _mean_places(self) -> Tensor:
        """(P, 2) of the mean head seen by the mean crop camera, put into the middle."""
        points = torch.as_tensor(self.model.template[self.points])[None]
        middle = points.amin(1) / 2 + points.amax(1) / 2
        camera = torch.tensor([[_CAMERA[0][0], -float(middle[0, 0]), -float(middle[0, 1])]])
        return project_crop(points, camera)[0, :, :2]

    def _motion(self, model: HeadModel) -> Tensor:
        """How far each number of the face groups moves each dense point of the mean head, by its unit."""
        size = model.expression_size
        unit = torch.eye(size + 9, device=self.device)
        step = torch.full((size + 9, 1), 0.05, device=self.device)
        still = {"identity": unit.new_zeros(size + 9, model.identity_size), "rotation": unit.new_zeros(size + 9, 3)}
        edges = (size, size + 2, size + 5)
        moved = dict(zip(FACE_GROUPS, torch.tensor_split(unit * step, edges, dim=1), strict=True))
        rest = {k: torch.zeros_like(v) for k, v in moved.items()}
        apart = (decode(self.head, still | moved).vertices - decode(self.head, still | rest).vertices)[:, self._rows]
        return (apart / step[:, :, None]).reshape(size + 9, -1)

    def truth(self, groups: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Parameter groups (B, size) to their columns of an answer, (B, columns up to the points'), and places.

        Returns:
            (B, G) groups in units of their spread, and (B, P, 2) places in the crop.
        """
        short = self.model.identity_size - groups["identity"].shape[1]  # fits know the first components only
        groups = dict(groups) | {"identity": torch.nn.functional.pad(groups["identity"], (0, short))}
        posed = {k: groups[k] for k in (*FACE_GROUPS, "identity", "rotation")}
        points = decode(self.head, posed).vertices[:, self._rows]
        places = project_crop(points, groups["camera"])[..., :2]
        row = torch.cat([groups[n] for n in GROUPS], 1)
        end = self.parts["identity"].stop
        return (row - self.mean[:end]) / self.scale[:end], places

    def groups(self, answer: Tensor, clamp: bool = True) -> dict[str, Tensor]:
        """Answers (B, size) in units of spread to parameter groups, lids in [0, 1] where they are clamped."""
        real = answer * self.scale + self.mean
        out = {n: real[:, self.parts[n].columns] for n in GROUPS}
        if clamp:
            out["eyelids"] = out["eyelids"].clamp(0, 1)
        return out

    def places(self, answer: Tensor) -> Tensor:
        """(B, P, 2) in the crop."""
        part = self.parts["points"].columns
        return (answer[:, part] * self.scale[part] + self.mean[part]).reshape(len(answer), -1, 2)

    def arkit(self, groups: Mapping[str, Tensor]) -> npt.NDArray[Any]:
        """(B, 52) ARKit weights of groups (B, size)."""
        return arkit_from_groups(self.model, {n: groups[n].double().cpu().numpy() for n in FACE_GROUPS})
