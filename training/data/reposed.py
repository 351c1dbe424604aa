# SPDX-License-Identifier: Apache-2.0
"""Real portraits with other expressions, poses and light, in batches: real skin with exact truth.

The photo is the texture of the head fitted to it (:mod:`training.data.fit_portraits`). Each pixel of skin looks up
where its place on the surface was in the photo; hair, neck and background are pulled along by the face's displacement,
smoothed outwards, so that there is no seam; eyes, teeth and the mouth's inside are painted, since the photo never
showed them so. The same idea, one picture at a time in NumPy, is :mod:`training.data.portraits`.

On the CPU the rasteriser's compiled loop does the visibility; the rest is torch, on any device.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import grid_sample, interpolate, normalize

from smirk_core.errors import TrainingError
from smirk_core.heads.decode import decode, landmark_points
from smirk_core.heads.head_model import HeadModel
from smirk_core.heads.library import load_head
from smirk_core.neural.mesh_render import project_crop, vertex_normals
from smirk_core.neural.paths import Batch
from smirk_core.neural.torch_head import torch_head
from smirk_core.rendering.lit_shading import encode
from smirk_core.rendering.rasterizer import Fragments, pixels_from_crop, rasterize

from .acting import Actor, sample_weights
from .album import Album
from .camera_noise import develop
from .dice import Dice
from .face_paint import FacePaint, Look, Pixels, opening, sample_looks
from .framing import batch_of, composed, crop_camera, head_turns
from .lighting import light_surface, sample_lights
from .reduced_head import reduced_head
from .source import Request
from .symmetry import vertex_partners

__all__ = ["Album", "Pose", "Reposer", "reposed"]

_CELLS = 14  # of the displacement field along each side
_NEAR = -10.0


@dataclass(frozen=True)
class Pose:
    """What a batch of portraits is to do: rows of the album, parameter groups, and (B, ...) light."""

    rows: Tensor
    groups: dict[str, Tensor]
    vertices: Tensor
    lamp: Tensor
    ambient: Tensor
    look: Look
    lights: Any


class Reposer:
    """Gives portraits other expressions.

    Args:
        model: the head that the album was fitted with.
        album: the portraits.
        size: of the pictures in pixels, a multiple of 14.
        backend: of the rasteriser.
        crop: the least and the most side of the crop in sizes of the landmarks' box.
        calm: how much portraits at rest are preferred: a lively one still has folds that its new expression has not.
    """

    def __init__(
        self, model: HeadModel, album: Album, size: int = 112, *, backend: str = "auto",
        crop: tuple[float, float] = (1.2, 1.65), calm: float = 0.0,
    ) -> None:  # fmt: skip
        if size % _CELLS:
            raise ValueError(f"a size of {size} is no multiple of {_CELLS}")
        self.album, self.size, self.backend, self.crop = album, size, backend, crop
        self.device = album.pictures.device
        names = np.array(model.material_names)[model.polygon_materials[model.triangle_polygons]]
        skin = np.isin(names, ("skin", "lips"))
        away = np.zeros(len(model.template), bool)
        for region in ("ears", "scalp", "neck"):
            away |= model.regions[region]
        # Ears, scalp and neck rarely lie where hair and collars are: they are pulled along like the background.
        face = skin & ~away[model.triangles].all(1)
        inner = ~skin & ~np.isin(names, ("lash", "brow"))
        part = reduced_head(model, face | inner)
        self.model, self._part = part.model, part
        self.head = torch_head(part.model, self.device)
        self.actor = Actor(model, self.device)
        self.paint = FacePaint(model, self.device).part(part.vertices, part.triangles)
        drawn = np.flatnonzero((face | (inner & ~model.clear_triangles))[part.triangles])
        self._drawn = torch.as_tensor(drawn, device=self.device)
        self._triangles = self.paint.triangles[self._drawn]
        self._skin = torch.as_tensor(face[part.triangles], device=self.device)
        partners = vertex_partners(model)
        place = np.full(len(model.template), -1)
        place[part.vertices] = np.arange(len(part.vertices))
        mirrored = place[partners[part.vertices]]
        mirrored = np.where(mirrored < 0, np.arange(len(mirrored)), mirrored)
        joints = len(part.vertices) + np.arange(len(model.joint_names))
        self._partner = torch.as_tensor(np.concatenate([mirrored, joints]), device=self.device)
        self._smooth = [self._blur_matrix(sigma) for sigma in (0.8, 2.0, 6.0)]
        cells = torch.eye(_CELLS, device=self.device)[None, :, None]  # each cell's bicubic bump along a row of pixels
        self._rise = interpolate(cells.expand(1, -1, 4, -1), size=(4, size), mode="bicubic", align_corners=False)[
            0, :, 0
        ].T
        self._worn = self._wear()
        lively = album.groups["expression"].clamp_min(0).sum(1) + 3 * album.groups["jaw"].norm(dim=1)
        self._chance = torch.exp(-calm * lively).cumsum(0)

    def _blur_matrix(self, sigma: float) -> Tensor:
        """(C, C) Gaussian smoothing of a row of cells whose ends are repeated."""
        at = torch.arange(_CELLS, device=self.device, dtype=torch.float32)
        far = torch.arange(-3 * _CELLS, 4 * _CELLS, device=self.device, dtype=torch.float32)
        weight = torch.exp(-0.5 * ((at[:, None] - far) / sigma) ** 2)
        out = torch.zeros(_CELLS, _CELLS, device=self.device)
        out.index_add_(1, far.clamp(0, _CELLS - 1).long(), weight)
        return out / out.sum(1, keepdim=True)

    def _wear(self) -> tuple[Tensor, Tensor, Tensor]:
        """Per portrait: places in its square of every vertex (N, V, 2) in [-1, 1], how much a vertex is better taken
        from the other side (N, V), and normals (N, V, 3) in half precision; and skin's brightness as a side effect."""
        places, hidden, normals, levels = [], [], [], []
        for some in torch.arange(len(self.album), device=self.device).split(32):
            groups = {n: v[some] for n, v in self.album.groups.items()}
            vertices = decode(self.head, groups).vertices
            place = project_crop(vertices, groups["camera"])[..., :2]
            normal = vertex_normals(vertices, self.paint.triangles)
            facing = normal[..., 2]
            other = facing[:, self._partner]
            better = ((0.3 - facing) / 0.25).clamp(0, 1) * ((other - facing) / 0.2).clamp(0, 1)
            picture = self.album.pictures[some].float() / 255
            seen = grid_sample(picture, place[:, None], align_corners=False)[:, :, 0].mean(1)
            levels.append(seen.masked_fill(facing < 0.5, 0).quantile(0.8, dim=1))
            places.append(place)
            hidden.append(better)
            normals.append(normal.half())
        self.level = torch.cat(levels)
        return torch.cat(places), torch.cat(hidden), torch.cat(normals)

    def sample(self, dice: Dice, count: int, rows: Tensor | None = None) -> Pose:
        """Random people of the album in random performances."""
        if rows is None:
            drawn = dice.uniform(0, 1, count) * self._chance[-1]
            rows = torch.searchsorted(self._chance, drawn).clamp_max(len(self.album) - 1)
        groups = self.actor.groups(sample_weights(dice, count))
        groups["identity"] = self.album.groups["identity"][rows]
        near, far = head_turns(dice, count, 14.0, 10.0, 5.0), head_turns(dice, count, 34.0, 18.0, 8.0)
        turn = torch.where(dice.coin(0.3, count, 1), far, near)
        groups["rotation"] = composed(turn, self.album.groups["rotation"][rows])
        vertices = decode(self.head, groups).vertices
        marks = landmark_points(self.head, vertices, self.model.landmarks["mediapipe_478"])
        groups["camera"] = crop_camera(marks, dice, *self.crop)
        lamp = normalize(
            torch.stack(
                [0.8 * dice.normal(count), 0.3 + 0.5 * dice.normal(count), 0.2 + dice.uniform(0, 0.8, count)], 1
            ),
            dim=1,
        ) * dice.uniform(0.0, 1.1, count, 1)
        ambient = dice.uniform(0.0, 1.0, count) * dice.coin(0.5, count)
        look, lights = sample_looks(dice, count), sample_lights(dice, count)
        # The photo's lids and lashes shade the eyes; painted ones do not.
        look["opening"] = opening(self.head, vertices)
        look["iris"], look["sclera"] = look["iris"] * 0.45, look["sclera"] * 0.62
        return Pose(rows, groups, vertices, lamp, ambient, look, lights)

    def draw(self, pose: Pose) -> tuple[Tensor, Fragments, Tensor]:
        """Wear, light and photograph: (B, 3, S, S) sRGB, what is seen, vertices (B, V, 3)."""
        with torch.no_grad():
            return self._draw(pose)

    def _draw(self, pose: Pose) -> tuple[Tensor, Fragments, Tensor]:
        count, size, groups = len(pose.rows), self.size, pose.groups
        vertices = pose.vertices
        pixels = pixels_from_crop(project_crop(vertices, groups["camera"]), size, size)
        found = rasterize(pixels, self._triangles, size, size, cull=True, near=_NEAR, backend=self.backend)
        found = Fragments(
            torch.where(found.covered, self._drawn[found.triangle.clamp_min(0)], -1), found.barycentric, found.depth
        )
        normals = vertex_normals(vertices, self.paint.triangles)
        places, hidden, old = (t[pose.rows] for t in self._worn)
        ratio = self._relit(normals, old.float(), pose)
        skin_seen = found.covered & self._skin[found.triangle.clamp_min(0)]
        skin = Pixels(found, self.paint.triangles, skin_seen)
        table = torch.cat([places, places[:, self._partner], hidden[..., None], ratio[..., None], normals[..., 2:]], -1)
        value = skin.mix(table)

        # Place in the photo minus the plain zoom from this framing to the photo's; what is left is what moved.
        camera, before = groups["camera"], self.album.groups["camera"][pose.rows]
        zoom = before[:, 0] / camera[:, 0]
        shift = before[:, :1] * (before[:, 1:] - camera[:, 1:]) * before.new_tensor([1.0, -1.0])
        step = (torch.arange(size, device=self.device, dtype=torch.float32) + 0.5) * (2 / size) - 1
        grid = torch.stack(torch.meshgrid(step, step, indexing="xy"), -1)[None]
        plain = grid * zoom[:, None, None, None] + shift[:, None, None]
        own = value[:, 4] < 0.5
        moved = torch.zeros(count * size * size, 4, device=self.device)
        flat = plain.reshape(-1, 2)
        moved[skin.flat, :2] = (value[:, :2] - flat[skin.flat]) * own[:, None]
        moved[skin.flat, 2] = value[:, 5].log() * own
        moved[skin.flat, 3] = own.float()
        around = self._pulled(moved.reshape(count, size, size, 4))
        source = plain + around[..., :2]
        light = around[..., 2].exp().reshape(-1)
        # Towards the outline the look-up meets hair and background; there the smooth displacement takes over.
        sure = ((value[:, 6:] - 0.12) / 0.3).clamp(0, 1)
        flat = source.view(-1, 2)
        flat[skin.flat] += (value[:, :2] - flat[skin.flat]) * sure
        light[skin.flat] += (value[:, 5] - light[skin.flat]) * sure[:, 0]
        picture = self.album.pictures[pose.rows].float() / 255
        image = grid_sample(picture, source, padding_mode="border", align_corners=False)
        image = image.permute(0, 2, 3, 1).reshape(-1, 3)
        turned = (value[:, 4] > 0.02).nonzero()[:, 0]
        if len(turned):
            mirror = torch.zeros(count, size, size, 2, device=self.device)
            mirror.view(-1, 2)[skin.flat[turned]] = value[turned, 2:4]
            other = grid_sample(picture, mirror, padding_mode="border", align_corners=False).permute(0, 2, 3, 1)
            at, share = skin.flat[turned], value[turned, 4:5] * sure[turned]
            image[at] += (other.reshape(-1, 3)[at] - image[at]) * share
        image = image * light[:, None]
        self._paint_inner(image, found, skin_seen, vertices, normals, pose)
        return image.clamp(0, 1).reshape(count, size, size, 3).permute(0, 3, 1, 2), found, vertices

    def _relit(self, normals: Tensor, old: Tensor, pose: Pose) -> Tensor:
        """(B, V) brightness of the new picture over the photo: the lamp's change as the surface turned under it, and
        where asked for its light anew."""
        lamp = pose.lamp[:, :, None]
        new = 1 + (normals @ lamp)[..., 0].clamp_min(0)
        before = 1 + (old @ lamp)[..., 0].clamp_min(0)
        front = 1 + pose.lamp[:, 2:3].clamp_min(0)
        return ((new / before) * (new / front) ** pose.ambient[:, None]).clamp(0.45, 1.8)

    def _pulled(self, moved: Tensor) -> Tensor:
        """(B, S, S, 4) displacements, log light and where they are known, to (B, S, S, 3) everywhere.

        Means over cells are smoothed at three scales: near the face it is followed closely, far away on average.
        """
        count, size = moved.shape[:2]
        cell = size // _CELLS
        mean = moved.reshape(count, _CELLS, cell, _CELLS, cell, 4).mean((2, 4)).permute(0, 3, 1, 2)
        filled = torch.zeros_like(mean[:, :3])
        trust = torch.zeros_like(mean[:, 3:])
        for blur in self._smooth:
            soft = blur @ mean @ blur.T
            weight = soft[:, 3:]
            share = (weight * 6).clamp(0, 1) * (1 - trust)
            filled = filled + share * soft[:, :3] / weight.clamp_min(1e-6)
            trust = trust + share
        filled = filled / trust.clamp_min(1e-6)
        return (self._rise @ filled @ self._rise.T).permute(0, 2, 3, 1)

    def _paint_inner(
        self, image: Tensor, found: Fragments, skin: Tensor, vertices: Tensor, normals: Tensor, pose: Pose
    ) -> None:
        """Eyes, teeth and mouth in the photo's brightness, in place."""
        inner = Pixels(found, self.paint.triangles, found.covered & ~skin)
        if not len(inner):
            return
        eyes = torch.einsum("jv,bvc->bjc", self.head.joint_regressor[3:5], vertices).mean(1, keepdim=True)
        lights = pose.lights
        diffuse, gloss = light_surface(vertices - eyes, normals, lights, self.paint.occlusion, None, shiny=False)
        frontal = normals[..., 2:].clamp_min(0) ** 2
        level = (diffuse * frontal).sum((1, 2)) / (3 * frontal.sum((1, 2))).clamp_min(1e-6)
        wanted = (self.level[pose.rows] / 0.72).clamp(0.3, 1.15) ** 2
        gain = (wanted / level.clamp_min(1e-3))[:, None, None]
        view = normalize(normalize(lights.place[:, 0], dim=-1) + vertices.new_tensor([0, 0, 1.0]), dim=-1)
        light = self.paint.surface(inner, pose.look, diffuse * gain, gloss * gain, normals, view, skin=False)
        # Their edges are softened as the photo's are, or they would look pasted in.
        count, size = len(vertices), self.size
        layer = torch.zeros(count * size * size, 4, device=self.device)
        layer[inner.flat, :3] = encode(light)
        layer[inner.flat, 3] = 1
        layer = layer.reshape(count, size, size, 4)
        for axis in (1, 2):
            padded = torch.nn.functional.pad(layer, (0, 0, 1, 1, 0, 0) if axis == 2 else (0, 0, 0, 0, 1, 1))
            before, after = padded.narrow(axis, 0, size), padded.narrow(axis, 2, size)
            layer = 0.6 * layer + 0.2 * (before + after)
        layer = layer.reshape(-1, 4)
        image *= 1 - layer[:, 3:]
        image += layer[:, :3]

    def batch(self, seed: int, count: int, noise: float = 1.0) -> Batch:
        """``count`` finished pictures with truth; the same seed gives the same batch."""
        dice = Dice(seed, self.device)
        with torch.no_grad():
            pose = self.sample(dice, count)
            image, found, vertices = self._draw(pose)
            image = develop(image, dice, noise)
            return batch_of(self.head, image, vertices, pose.groups, found)


def reposed(
    request: Request, *, fits: str, faces: str, limit: int | None = None, noise: float = 0.6,
    crop: tuple[float, float] = (1.2, 1.65), calm: float = 0.0,
) -> Iterator[Batch]:  # fmt: skip
    """The source ``reposed``: endless batches of portraits with other expressions.

    Args:
        request: what the training run wants.
        fits: file of ``training.data.fit_portraits``.
        faces: the folder that it was made from.
        limit: keep at most that many portraits in memory.
        noise: strength of the camera's faults; photos have some already.
        crop, calm: as of :class:`Reposer`.

    Raises:
        TrainingError: fits or pictures cannot be used, or the size is no multiple of 14.
    """
    model = load_head(request.head)
    if request.size % _CELLS:
        raise TrainingError(f"Re-posed pictures have sizes that are multiples of {_CELLS}, not {request.size}.")
    near = min(1.4, sum(crop) / 2)
    album = Album.load(Path(fits), Path(faces), model, request.size, request.device, limit, scale=near)
    poser = Reposer(model, album, request.size, crop=crop, calm=calm)
    number = request.start
    while True:
        yield poser.batch(request.seed_of(number), request.batch, noise)
        number += 1
