# SPDX-License-Identifier: Apache-2.0
"""Skin, lips, brows, beards, eyes and teeth of many people at once, in torch: :mod:`smirk_core.rendering.pixel_paint`
for batches. Colours are linear light; pixels are lists (P, ...), each with the number of its picture.
"""

from __future__ import annotations

from functools import lru_cache
from importlib.util import find_spec
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from smirk_core.heads.decode import landmark_points
from smirk_core.heads.head_model import HeadModel, LandmarkEmbedding
from smirk_core.rendering.lit_shading import decode_srgb
from smirk_core.rendering.looks import _HAIR, _IRIS, _SKINS
from smirk_core.rendering.rasterizer import Fragments
from smirk_core.rendering.texture import TILE, head_paint, noise_tile

from .dice import Dice

__all__ = ["FIELDS", "FacePaint", "Look", "Pixels", "opening", "sample_looks"]

Look = dict[str, Tensor]
# Fields per vertex that the painter interpolates.
FIELDS = ("lips", "brows", "beard", "hairline", "iris", "iris_cos", "iris_sin", "occlusion")
_KINDS = {"skin": 0, "lips": 0, "eye_white": 1, "iris": 1, "pupil": 1, "teeth": 2, "gums": 3, "tongue": 4, "mouth": 5,
          "lash": 6, "brow": 7, "cornea": 8, "tear": 8, "caruncle": 3}  # fmt: skip
_FLAT = ((0.86, 0.82, 0.73), (0.62, 0.30, 0.30), (0.66, 0.33, 0.33), (0.42, 0.16, 0.15))


def _table(values: np.ndarray, device: torch.device) -> Tensor:
    return torch.as_tensor(values, dtype=torch.float32, device=device)


def sample_looks(dice: Dice, count: int) -> Look:
    """Random people: everything (B, 3) or (B,), colours in linear light."""
    skins, hairs, irises = (_table(t, dice.device) for t in (_SKINS, _HAIR, _IRIS))
    tone = dice.uniform(0, len(skins) - 1.001, count)
    low = tone.long()
    skin = skins[low] + (tone - low)[:, None] * (skins[low + 1] - skins[low])
    skin = skin * (1 + torch.tensor([0.02, 0.025, 0.035], device=dice.device) * dice.normal(count, 3))
    skin = (skin * dice.uniform(0.94, 1.05, count, 1)).clamp(0.02, 1)
    dark = (tone / (len(skins) - 1))[:, None]
    # Dark hair goes with every skin, fair hair mostly with fair skin; grey now and then.
    share = dice.uniform(0, 1, count, len(hairs)) ** 4
    fair = (torch.arange(len(hairs), device=dice.device) >= 3).float()
    share = share * (1 - fair * (1 - (0.9 - 1.6 * dark).clamp(0.04, 1)))
    hair = (share / share.sum(1, keepdim=True)) @ hairs
    dyed = dice.coin(0.04, count, 1)
    hair = torch.where(dyed, dice.uniform(0.1, 0.8, count, 3), hair)
    kinds = torch.where(dark[:, 0] > 0.5, 3, len(irises))
    iris = irises[(dice.uniform(0, 1, count) * kinds).long()] * dice.uniform(0.85, 1.15, count, 3)
    lips = skin * (torch.tensor([0.82, 0.64, 0.66], device=dice.device) + 0.05 * dice.normal(count, 3))
    stick = torch.tensor([0.62, 0.2, 0.22], device=dice.device) * dice.uniform(0.6, 1.3, count, 3)
    lips = torch.where(dice.coin(0.15, count, 1), stick, lips)
    beard = dice.uniform(0, 1, count)
    stubble = torch.where(beard < 0.2, dice.uniform(0.1, 0.6, count), 0.0)
    full = torch.where((beard > 0.2) & (beard < 0.32), dice.uniform(0.6, 0.95, count), 0.0)

    def chance(p: float, low: float, high: float) -> Tensor:
        return dice.uniform(low, high, count) * dice.coin(p, count)

    return {
        "skin": decode_srgb(skin),
        "hair": decode_srgb(hair.clamp(0.02, 1)),
        "brow": decode_srgb((hair * dice.uniform(0.5, 0.9, count, 1)).clamp(0.02, 1)),
        "lash": decode_srgb((hair * 0.4).clamp(0.02, 1)),
        "iris": decode_srgb(iris.clamp(0.02, 1)),
        "sclera": decode_srgb(
            dice.uniform(0.72, 0.84, count, 1) * torch.tensor([1.0, 0.965, 0.935], device=dice.device)
        ),
        "lips": decode_srgb(lips.clamp(0.02, 1)),
        "teeth": dice.uniform(0.7, 1.05, count, 1) * torch.tensor([1.0, 0.97, 0.86], device=dice.device),
        "gloss": dice.uniform(0.008, 0.06, count),
        "blotches": dice.uniform(0.05, 0.25, count),
        "pores": dice.uniform(0.5, 1.8, count),
        "freckles": chance(0.25, 0.1, 0.8),
        "sockets": dice.uniform(0.15, 0.8, count),
        "flush": dice.uniform(0.1, 0.9, count) * (1 - 0.6 * dark[:, 0]),
        "stubble": stubble,
        "beard": full,
        "beard_cut": dice.uniform(0.4, 0.85, count),
        "lip_strength": dice.uniform(0.5, 0.95, count),
        "brow_density": dice.uniform(0.35, 0.95, count),
        "brow_paint": chance(0.5, 0.1, 0.85),
        "lash_density": dice.uniform(0.15, 0.75, count),
        "scalp": (~dice.coin(0.12, count)).float() * dice.uniform(0.75, 1, count),
        "scalp_volume": dice.uniform(0.001, 0.012, count),
        "pupil": dice.uniform(0.22, 0.5, count),
        "shift": dice.uniform(0, 1, count, 2),
        "waves": 2.2 * dice.normal(count, 3, 12),
        "phase": dice.uniform(0, 6.28, count, 12),
        "exposure": dice.uniform(0.5, 0.9, count),
        "fibre": dice.uniform(0, 6.28, count),
    }


@lru_cache(maxsize=1)
def _has_numba() -> bool:
    return find_spec("numba") is not None


def opening(model: HeadModel, vertices: Tensor) -> Tensor:
    """(B,) light that enters the mouth, 0.08 between closed lips to 1, from the gap of the lips' middle."""
    lips = model.landmarks["mediapipe_478"]
    some = LandmarkEmbedding(lips.triangles[[13, 14]], lips.barycentric[[13, 14]], lips.weight[[13, 14]])
    upper, lower = landmark_points(model, vertices, some).unbind(1)
    return ((upper - lower).norm(dim=1) / 0.006).clamp(0.08, 1)


class Pixels:
    """Covered pixels of a batch as one list.

    Attributes:
        picture: (P,) which picture; flat: (P,) place in (B * H * W); triangle: (P,); weights: (P, 3).
        corners: (P, 3) vertices.
    """

    def __init__(self, fragments: Fragments, triangles: Tensor, chosen: Tensor | None = None) -> None:
        covered = fragments.covered if chosen is None else chosen
        self.flat = covered.reshape(-1).nonzero()[:, 0]
        self.picture = self.flat // (covered.shape[1] * covered.shape[2])
        self.triangle = fragments.triangle.reshape(-1)[self.flat]
        self.weights = fragments.barycentric.reshape(-1, 3)[self.flat]
        self.corners = triangles[self.triangle]

    def __len__(self) -> int:
        return len(self.flat)

    def mix(self, values: Tensor) -> Tensor:
        """(V, C) shared or (B, V, C) per picture to (P, C)."""
        at = self.corners
        if values.ndim == 3:
            at = at + (self.picture * values.shape[1])[:, None]
            values = values.reshape(-1, values.shape[-1])
        if values.device.type == "cpu" and values.dtype == torch.float32 and _has_numba():
            from smirk_core.rendering.raster_kernel import mixed

            return torch.from_numpy(mixed(values.contiguous().numpy(), at.numpy(), self.weights.numpy()))
        return (values[at] * self.weights[..., None]).sum(1)

    def some(self, index: Tensor) -> Pixels:
        """Part of the list."""
        part = object.__new__(Pixels)
        for name in ("flat", "picture", "triangle", "weights", "corners"):
            setattr(part, name, getattr(self, name)[index])
        return part


class FacePaint:
    """The painter's knowledge of a head, on a device.

    Args:
        model: the head (NumPy).
        device: of the results.
    """

    def __init__(self, model: HeadModel, device: torch.device | str = "cpu") -> None:
        paint = head_paint(model)
        device = torch.device(device)
        angle = 2 * np.pi * paint.iris_angle
        fields = {
            "lips": paint.lips, "brows": paint.brows, "beard": paint.beard, "hairline": paint.hairline,
            "iris": paint.iris, "iris_cos": np.cos(angle), "iris_sin": np.sin(angle), "occlusion": paint.occlusion,
        }  # fmt: skip
        self.fields = _table(np.stack([fields[n] for n in FIELDS], 1), device)
        self.occlusion, self.hairline = _table(paint.occlusion, device), _table(paint.hairline, device)
        self.sockets, self.flush = _table(paint.sockets, device), _table(paint.flush, device)
        self.position = _table(paint.position, device)
        self.noise = _table(paint.noise.reshape(-1, 3, 2), device)
        codes = np.array([_KINDS.get(n, 0) for n in model.material_names])[paint.materials]
        self.kind = torch.as_tensor(codes, device=device)
        self.triangles = torch.as_tensor(model.triangles.astype(np.int64), device=device)
        self.film = torch.as_tensor(paint.film, device=device)
        self.solid = torch.as_tensor(paint.solid.astype(np.int64), device=device)
        self.cards = torch.as_tensor(np.flatnonzero(paint.card), device=device)
        self.tiles = _table(noise_tile(0), device).reshape(4, -1)
        rows, columns = paint.smooth.nonzero()
        at = torch.as_tensor(np.stack([rows, columns]), device=device)
        values = _table(np.asarray(paint.smooth[rows, columns]).ravel(), device)
        self.smooth = torch.sparse_coo_tensor(at, values, paint.smooth.shape, check_invariants=False).coalesce()
        self.flat = decode_srgb(torch.tensor(_FLAT, device=device))

    def part(self, vertices: npt.NDArray[np.integer[Any]], triangles: npt.NDArray[np.integer[Any]]) -> FacePaint:
        """The paint of a reduced head: (V',) vertices and (F',) triangles of the whole one; five joints follow."""
        part = object.__new__(FacePaint)
        keep = torch.as_tensor(vertices, device=self.fields.device)
        kept = torch.as_tensor(triangles, device=self.fields.device)
        for name in ("fields", "occlusion", "hairline", "sockets", "flush", "position"):
            values = getattr(self, name)[keep]
            setattr(part, name, torch.cat([values, torch.zeros_like(values[:1]).expand(5, *values.shape[1:])]))
        part.noise, part.kind = self.noise[kept], self.kind[kept]
        place = torch.full((len(self.fields),), -1, device=keep.device)
        place[keep] = torch.arange(len(keep), device=keep.device)
        part.triangles = place[self.triangles[kept]]
        part.tiles, part.flat = self.tiles, self.flat
        part.film = torch.cat([place[self.film[keep]], torch.arange(5, device=keep.device) + len(keep)])
        card = (part.kind == 6) | (part.kind == 7)
        part.solid, part.cards = (part.kind < 6).nonzero()[:, 0], card.nonzero()[:, 0]
        return part

    def noise_at(self, coordinates: Tensor, shift: Tensor) -> Tensor:
        """(P, 2) tiles around and up, (P, 2) shift to (4, P): blotches, spots, pores, strands."""
        column = ((coordinates[:, 0] + shift[:, 0]) * TILE).long() & (TILE - 1)
        row = ((coordinates[:, 1] + shift[:, 1]) * TILE).long() & (TILE - 1)
        return self.tiles[:, row * TILE + column]

    def albedo(self, look: Look) -> Tensor:
        """(B, V, 3) skin paint that varies slowly over the face."""
        wave = torch.einsum("vk,bkw->bvw", self.position, look["waves"]) + look["phase"][:, None]
        blotch = (wave.sin().mean(-1) * look["blotches"][:, None])[..., None]
        tone = look["skin"].new_tensor
        skin = look["skin"][:, None] * (1 + blotch * tone([0.5, 1.0, 0.9]))
        skin = skin * (1 - (look["sockets"][:, None] * self.sockets)[..., None] * tone([0.42, 0.5, 0.42]))
        skin = skin * (1 - (look["flush"][:, None] * self.flush)[..., None] * tone([0.02, 0.34, 0.3]))
        return skin.clamp(0.003, 1)

    def surface(
        self, pixels: Pixels, look: Look, diffuse: Tensor, gloss: Tensor, normals: Tensor, key: Tensor,
        *, skin: bool = True,
    ) -> Tensor:  # fmt: skip
        """(P, 3) light of pixels that see something solid.

        Args:
            pixels: of the whole mesh, triangles numbered as in the model.
            look: of the people.
            diffuse, gloss, normals: (B, V, 3) of :func:`training.data.lighting.light_surface`, and unit normals.
            key: (B, 3) unit direction between the key lamp and the viewer.
            skin: False where none of the pixels is skin.
        """
        field = pixels.mix(self.fields)
        if skin:
            values = pixels.mix(torch.cat([diffuse, gloss, self.albedo(look)], -1))
            light = values[:, :3]
            colour, shine = self._skin(pixels, look, values[:, 6:9], values[:, 3:6], field)
        else:
            light = pixels.mix(diffuse)
            colour = shine = torch.zeros_like(light)
        kind = self.kind[pixels.triangle]
        for code in (2, 3, 4, 5):
            own = (kind == code)[:, None]
            flat = self.flat[code - 2] * (look["teeth"][pixels.picture] if code == 2 else 1.0)
            # Hardly any light comes in between lips that are nearly shut.
            flat = flat * look["opening"][pixels.picture, None] if "opening" in look else flat
            colour, shine = torch.where(own, flat, colour), torch.where(own, 0.0, shine)
        out = colour * light + shine
        eyes = (kind == 1).nonzero()[:, 0]
        if len(eyes):
            seen = self._eyes(pixels.some(eyes), look, field[eyes], light[eyes], normals, key)
            out = out.index_copy(0, eyes, seen)
        return out

    def _skin(self, pixels: Pixels, look: Look, colour: Tensor, shine: Tensor, field: Tensor) -> tuple[Tensor, Tensor]:
        """Freckles, pores, beards, lips, brows and hair over the skin: colour and highlights, (P, 3) each."""
        of = pixels.picture
        shine = shine * look["gloss"][of, None]
        lips, brows, beard, hairline = field[:, 0], field[:, 1], field[:, 2], field[:, 3]
        at = (self.noise[pixels.triangle] * pixels.weights[..., None]).sum(1)
        blotch, spots, pores, strands = self.noise_at(at, look["shift"][of])

        def mixed(under: Tensor, over: Tensor, share: Tensor) -> Tensor:
            return under + (over - under) * share[:, None]

        colour = colour * (1 + 0.14 * look["blotches"][of] * blotch + 0.03 * look["pores"][of] * pores)[:, None]
        freckle = (spots - 1.5).clamp(0, 1) * (1 - lips) * look["freckles"][of]
        colour = colour * (1 - freckle[:, None] * colour.new_tensor([0.35, 0.55, 0.65]))
        hair = look["hair"][of]
        stubble = look["stubble"][of] * beard * (0.55 + 0.35 * spots).clamp(0, 1)
        colour = mixed(colour, hair * 1.2, stubble)
        full = ((beard - look["beard_cut"][of] + 0.2 * strands) * 2.5 + 0.5).clamp(0, 1) * look["beard"][of]
        colour = mixed(colour, (hair * (1 + 0.35 * strands)[:, None]).clamp(0.002, 1), full)
        edge = (lips * 1.6 - 0.3).clamp(0, 1) * look["lip_strength"][of]
        colour = mixed(colour, look["lips"][of] * (1 + 0.06 * strands)[:, None], edge)
        shine = shine * ((1 + 0.9 * edge + 0.12 * pores) * (1 - 0.7 * full))[:, None]
        over = (look["brow_density"][of] * (2.2 * brows - 0.55) + 0.22 * strands * (brows > 0.1)).clamp(0, 1)
        colour = mixed(colour, look["brow"][of], over * look["brow_paint"][of])
        cover = (0.5 + 9 * hairline + 0.35 * strands * (hairline > -0.12)).clamp(0, 1) * look["scalp"][of]
        colour = mixed(colour, (hair * (1 + 0.28 * strands)[:, None]).clamp(0.002, 1), cover)
        shine = shine * (1 - 0.75 * cover)[:, None]
        return colour, shine

    def _eyes(self, pixels: Pixels, look: Look, field: Tensor, light: Tensor, normals: Tensor, key: Tensor) -> Tensor:
        """(P, 3) white, iris with limbal ring and fibres, pupil, and the lamp mirrored in the cornea."""
        of = pixels.picture
        radius, angle = field[:, 4], torch.atan2(field[:, 6], field[:, 5])
        light = light * (0.3 + 0.85 * field[:, 7:8])  # the lids' shade
        normal = torch.nn.functional.normalize(pixels.mix(normals[:, self.film]), dim=-1)
        fibres = 1 + 0.22 * (angle * 31 + look["fibre"][of]).sin() * (angle * 17).sin()
        fibres = fibres + 0.45 * (0.75 - radius).clamp(-0.3, 0.4)
        ring = 1 - 0.7 * ((radius - 0.72) / 0.28).clamp(0, 1) ** 2
        limbus = 1 - 0.55 * ((1.1 - radius) / 0.1).clamp(0, 1)
        iris = look["iris"][of] * (fibres * ring)[:, None]
        colour = torch.where((radius < 1)[:, None], iris, look["sclera"][of] * limbus[:, None])
        colour = colour * torch.where(radius < look["pupil"][of], 0.03, 1.0)[:, None]
        shine = (normal * key[of]).sum(-1).clamp(0, 1) ** 260
        return colour * light + 0.45 * shine[:, None]

    def strips(self, pixels: Pixels, look: Look, diffuse: Tensor) -> tuple[Tensor, Tensor]:
        """(P, 3) light and (P, 1) opacity of lash and brow strips."""
        of = pixels.picture
        brow = (self.kind[pixels.triangle] == 7)[:, None]
        light = pixels.mix(diffuse)
        colour = torch.where(brow, look["brow"][of], look["lash"][of]) * light
        return colour, torch.where(brow, look["brow_density"][of, None], look["lash_density"][of, None])
