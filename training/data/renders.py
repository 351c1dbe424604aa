# SPDX-License-Identifier: Apache-2.0
"""Photographs of people who do not exist: the head with a random identity and look, in a random performance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

from smirk_core.heads.arkit import groups_from_arkit
from smirk_core.heads.decode import decode, project
from smirk_core.heads.head_model import HeadModel
from smirk_core.heads.rotation import matrix_from_rotvec, rotvec_from_matrix
from smirk_core.rendering.looks import Look
from smirk_core.rendering.shading import render_vertices

__all__ = ["Photograph", "Sitter", "develop", "head_turn", "photograph", "random_background"]

Floats = npt.NDArray[np.floating[Any]]
Picture = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Sitter:
    """Who is photographed: identity coefficients (K,) and paint."""

    identity: Floats
    look: Look

    @staticmethod
    def random(model: HeadModel, rng: np.random.Generator, spread: float = 1.05) -> Sitter:
        """Somebody from the head's own population."""
        identity = np.clip(rng.standard_normal(model.identity_size) * spread, -2.5, 2.5)
        # Real brows differ more than the strips of the head: some are bold, some hardly there. Shadows cost time.
        bold = rng.uniform(0, 0.9) if rng.random() < 0.5 else 0.0
        look = replace(Look.random(rng), brow_paint=bold, shadows=bool(rng.random() < 0.5))
        return Sitter(identity, look)


@dataclass(frozen=True)
class Photograph:
    """A picture with its truth.

    Attributes:
        picture: (H, W, 3) uint8 sRGB.
        mesh: (V, 3) pixels and depth of every vertex.
        groups: the parameter groups behind it, (1, size) each.
    """

    picture: Picture
    mesh: Floats
    groups: Mapping[str, Floats]


def head_turn(rng: np.random.Generator, yaw: float, pitch: float, roll: float) -> Floats:
    """(3,) rotation vector: uniform in +-yaw and +-pitch, normal in roll (its standard deviation), degrees."""
    y, p = np.radians([rng.uniform(-yaw, yaw), rng.uniform(-pitch, pitch)])
    r = np.radians(roll) * rng.standard_normal()
    turns = matrix_from_rotvec(np.array([[0, 0, r], [p, 0, 0], [0, y, 0]]))
    return rotvec_from_matrix(turns[0] @ turns[1] @ turns[2])


def random_background(rng: np.random.Generator, size: int) -> Picture:
    """(size, size, 3) flat, shaded or cluttered, out of focus."""
    cells = int(rng.choice([1, 2, 3, 6, 12]))
    tone = rng.uniform(20, 235, 3) if rng.random() < 0.6 else np.full(3, rng.uniform(20, 235))
    grid = np.clip(tone + rng.normal(0, rng.uniform(5, 60), (cells, cells, 3)), 0, 255).astype(np.uint8)
    method = Image.Resampling.BICUBIC if rng.random() < 0.8 else Image.Resampling.NEAREST
    return np.asarray(Image.fromarray(grid).resize((size, size), method))


def develop(picture: Picture, rng: np.random.Generator) -> Picture:
    """What cameras and files do: exposure, colour, blur, noise, compression-like loss of detail."""
    image = Image.fromarray(picture)
    if rng.random() < 0.25:
        image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 1.2)))
    if rng.random() < 0.2:
        small = int(picture.shape[0] * rng.uniform(0.4, 0.8))
        image = image.resize((small, small), Image.Resampling.BILINEAR).resize(image.size, Image.Resampling.BICUBIC)
    out = np.asarray(image, np.float32) / 255
    if rng.random() < 0.1:
        out = np.repeat(out.mean(-1, keepdims=True), 3, axis=2)
    out = out ** np.exp(rng.normal(0, 0.2)) * np.exp(rng.normal(0, 0.1)) * rng.normal(1, 0.04, 3)
    if rng.random() < 0.6:
        out = out + rng.normal(0, rng.uniform(0.002, 0.02), out.shape[:2])[..., None]
    return np.clip(255 * out, 0, 255).astype(np.uint8)


def _perspective(vertices: Floats, distance: float) -> Floats:
    """Vertices moved so that an orthographic picture of them looks as if taken from ``distance`` metres."""
    centre = vertices.mean(0)
    offset = vertices - centre
    return centre + offset * (distance / (distance - offset[:, 2:3])) * np.array([1, 1, 0]) + offset * [0, 0, 1]


def photograph(
    model: HeadModel,
    sitter: Sitter,
    weights: Floats,
    rotation: Floats,
    rng: np.random.Generator,
    size: int = 224,
    *,
    perspective: bool = True,
    supersample: int = 1,
) -> Photograph:
    """Take a picture of a sitter.

    Args:
        model: the head.
        sitter: who.
        weights: (52,) ARKit weights.
        rotation: (3,) of the head.
        rng: decides framing, background, distance and film.
        size: pixels, square.
        perspective: from a random distance of 0.35 to 3 m; otherwise orthographic.
        supersample: of the renderer.
    """
    groups = groups_from_arkit(model, weights[None]) | {"identity": sitter.identity[None], "rotation": rotation[None]}
    vertices = np.asarray(decode(model, groups).vertices[0], np.float64)
    if perspective and rng.random() < 0.8:
        vertices = _perspective(vertices, 0.35 * (3 / 0.35) ** rng.random())
    # Frame the face: between the eyes and the mouth in the middle, give or take.
    eyes = (model.joint_regressor[3] + model.joint_regressor[4]) / 2 @ vertices
    scale = size * rng.uniform(3.0, 5.2)  # px/m: the face fills about half of the picture to nearly all
    middle = size / 2 + rng.normal(0, 0.04 * size, 2)
    camera = np.array([scale, middle[0] - scale * eyes[0], middle[1] + scale * (eyes[1] - 0.03)])
    picture, alpha = render_vertices(model, vertices, camera, size, size, sitter.look, supersample=supersample)
    share = alpha[..., None]
    mixed = (picture * share + random_background(rng, size) * (1 - share)).astype(np.uint8)
    mesh = project(vertices[None].astype(np.float32), camera[None].astype(np.float32))[0]
    return Photograph(develop(mixed, rng), mesh, groups | {"camera": camera[None]})
