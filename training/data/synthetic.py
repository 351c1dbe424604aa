# SPDX-License-Identifier: Apache-2.0
"""People who do not exist, with exact truth: drawn in batches on the device that trains.

The head takes a random identity, performance, turn and light; skin, brows, lashes, beards, hair, glasses, clothes and a
room are painted in linear light, layer over layer by depth; then a camera photographs it. Truth is the parameters
themselves. The same seed gives the same faces, and no face depends on the rest of its batch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, normalize

from smirk_core.heads.decode import decode, landmark_points
from smirk_core.heads.head_model import HeadModel
from smirk_core.heads.library import load_head
from smirk_core.heads.rotation import matrix_from_rotvec
from smirk_core.neural.mesh_render import project_crop, vertex_normals
from smirk_core.neural.paths import Batch
from smirk_core.neural.torch_head import torch_head
from smirk_core.rendering.lit_shading import encode
from smirk_core.rendering.rasterizer import Fragments, pixels_from_crop, rasterize

from .acting import Actor, sample_weights
from .camera_noise import develop
from .dice import Dice
from .face_paint import FacePaint, Look, Pixels, opening, sample_looks
from .framing import batch_of, crop_camera, head_turns
from .hair import Hair, hair_shell, sample_hair
from .lighting import Lights, key_shadow, light_surface, sample_lights
from .occluders import Glasses, glasses_mesh, held_things, sample_glasses
from .source import Request
from .surroundings import backgrounds, clothes

__all__ = ["Drawn", "Scene", "SyntheticFaces", "synthetic", "take"]

_NEAR = -10.0


@dataclass(frozen=True)
class Scene:
    """Everything that a picture shows, (B, ...) each."""

    groups: Mapping[str, Tensor]
    vertices: Tensor
    root: Tensor
    look: Look
    lights: Lights
    hair: Hair
    glasses: Glasses
    room: Tensor
    cloth: Tensor
    cloth_alpha: Tensor
    held: Tensor
    held_alpha: Tensor


@dataclass(frozen=True)
class Drawn:
    """Pictures before the camera: (B, 3, S, S) sRGB, what the head's pixels see, and where other things hide it."""

    image: Tensor
    fragments: Fragments
    covered: Tensor


def take(value: Any, index: Any) -> Any:
    """Some pictures of a scene."""
    if isinstance(value, Tensor):
        return value[index]
    if isinstance(value, Mapping):
        return {k: take(v, index) for k, v in value.items()}
    return replace(value, **{f.name: take(getattr(value, f.name), index) for f in fields(value)})


class SyntheticFaces:
    """Draws synthetic people.

    Args:
        model: a head with ARKit's expressions.
        size: of the pictures in pixels.
        device: that draws.
        yaw: furthest turn to the side in degrees.
        supersample: samples a pixel and axis; edges are smooth from 2 on.
        backend: of the rasteriser.
        crop: the least and the most side of the crop in sizes of the landmarks' box.
    """

    def __init__(
        self, model: HeadModel, size: int = 224, device: torch.device | str = "cpu", *, yaw: float = 60.0,
        supersample: int | None = None, backend: str = "auto", crop: tuple[float, float] = (1.2, 1.65),
    ) -> None:  # fmt: skip
        self.model, self.size, self.device, self.yaw = model, size, torch.device(device), yaw
        self.fine = size * (supersample or (2 if size < 192 else 1))
        self.backend, self.crop = backend, crop
        self.head = torch_head(model, self.device)
        self.paint = FacePaint(model, self.device)
        self.actor = Actor(model, self.device)
        regions = {n: torch.as_tensor(model.regions[n], device=self.device) for n in ("scalp", "neck")}
        self._scalp = regions["scalp"].nonzero()[:, 0]
        template: Tensor = torch.as_tensor(self.head.template)
        neck = regions["neck"].nonzero()[:, 0]
        low = neck[template[neck, 1] < template[neck, 1].min() + 0.045]
        self._throat = low[template[low, 2] > template[low, 2].max() - 0.02]
        self._neck = low
        self._skull = self._extent(template[None])[0]

    def _extent(self, vertices: Tensor) -> Tensor:
        """(B, 3) size of the skull's cap along each axis, of unturned heads."""
        cap = vertices[:, self._scalp]
        return cap.amax(1) - cap.amin(1)

    def sample(self, dice: Dice, count: int) -> Scene:
        """Random people in random performances."""
        weights = sample_weights(dice, count)
        groups = self.actor.groups(weights)
        spread = dice.uniform(0.6, 1.15, count, 1)
        groups["identity"] = (dice.normal(count, self.model.identity_size) * spread).clamp(-2.5, 2.5)
        groups["rotation"] = head_turns(dice, count, self.yaw)
        decoded = decode(self.head, groups)
        vertices = decoded.vertices
        marks = landmark_points(self.head, vertices, self.model.landmarks["mediapipe_478"])
        groups["camera"] = crop_camera(marks, dice, *self.crop)
        looks, hair = sample_looks(dice, count), sample_hair(dice, count)
        looks["opening"] = opening(self.head, vertices)
        lights = sample_lights(dice, count)
        size = self.fine
        pixels = pixels_from_crop(project_crop(vertices, groups["camera"]), size, size)
        throat, neck = pixels[:, self._throat, :2], pixels[:, self._neck, :2]
        half = (neck[..., 0].amax(1) - neck[..., 0].amin(1)) / 2
        pit = torch.stack([throat[..., 0].mean(1), throat[..., 1].mean(1) + 0.05 * half], 1)
        cloth, alpha = clothes(dice, pit, half.clamp_min(4.0), size)
        face = pixels_from_crop(project_crop(marks, groups["camera"]), size, size)[..., :2]
        middle, radius = (face.amax(1) + face.amin(1)) / 2, (face.amax(1) - face.amin(1)).mean(1) / 2
        held, held_alpha = held_things(dice, count, size, middle, radius, looks["skin"])
        return Scene(
            groups, vertices, decoded.joints[:, 0], looks, lights, hair, sample_glasses(dice, count),
            backgrounds(dice, count, size), cloth, alpha, held, held_alpha,
        )  # fmt: skip

    def _turned(self, points: Tensor, scene: Scene) -> Tensor:
        """Points of the unturned head to where the head turned them."""
        turn = matrix_from_rotvec(scene.groups["rotation"])
        return (points - scene.root[:, None]) @ turn.transpose(1, 2) + scene.root[:, None]

    def _raster(self, points: Tensor, triangles: Tensor, scene: Scene, cull: bool = True) -> Fragments:
        size = self.fine
        pixels = pixels_from_crop(project_crop(points, scene.groups["camera"]), size, size)
        return rasterize(pixels, triangles, size, size, cull=cull, near=_NEAR, backend=self.backend)

    def draw(self, scene: Scene) -> Drawn:
        """Paint a scene; nothing random happens here."""
        with torch.no_grad():
            return self._draw(scene)

    def _draw(self, scene: Scene) -> Drawn:
        count, size, paint, look = len(scene.vertices), self.fine, self.paint, scene.look
        normals = vertex_normals(scene.vertices, paint.triangles)
        solid = paint.triangles[paint.solid]
        eyes = torch.einsum("jv,bvc->bjc", self.head.joint_regressor[3:5], scene.vertices)
        points = scene.vertices - eyes.mean(1, keepdim=True)
        lit = key_shadow(scene.vertices, solid, scene.lights.place)
        lit = (paint.smooth @ (paint.smooth @ lit.T)).T
        diffuse, gloss = light_surface(points, normals, scene.lights, paint.occlusion, lit)
        # The camera's exposure: faces are neither lost in the dark nor burnt out, whatever the lamps.
        frontal = normals[..., 2:].clamp_min(0) ** 2
        level = (diffuse * frontal).sum((1, 2)) / (3 * frontal.sum((1, 2))).clamp_min(1e-6)
        gain = (look["exposure"] / level.clamp_min(1e-3))[:, None, None]
        lights = scene.lights
        scene = replace(scene, lights=replace(lights, sky=lights.sky * gain, colour=lights.colour * gain))
        diffuse, gloss = diffuse * gain, gloss * gain
        view = normalize(normalize(scene.lights.place[:, 0], dim=-1) + points.new_tensor([0, 0, 1.0]), dim=-1)

        volume = (look["scalp"] * look["scalp_volume"])[:, None] * (paint.hairline * 4).clamp(0, 1)
        drawn = scene.vertices + normals * volume[..., None]
        found = self._raster(drawn, solid, scene)
        found = Fragments(
            torch.where(found.covered, paint.solid[found.triangle.clamp_min(0)], -1), found.barycentric, found.depth
        )
        depth = torch.where(found.covered, found.depth, torch.inf)
        canvas = scene.room.permute(0, 2, 3, 1).reshape(-1, 3).clone()
        shell = self._shell(scene, eyes)
        if shell is not None:
            self._lay_shell(canvas, shell, scene, depth, front=False)
        pixels = Pixels(found, paint.triangles)
        canvas[pixels.flat] = paint.surface(pixels, look, diffuse, gloss, normals, view)
        level = 0.8 * look["exposure"]
        self._lay(canvas, scene.cloth * level[:, None, None, None], scene.cloth_alpha)
        strips = self._raster(drawn, paint.triangles[paint.cards], scene, cull=False)
        strips = Fragments(
            torch.where(strips.covered, paint.cards[strips.triangle.clamp_min(0)], -1), strips.barycentric, strips.depth
        )
        # A strip may lie a hair's breadth under the skin: let it through.
        near = 0.0008 * scene.groups["camera"][:, :1, None] + 0.5 * 2 / size
        cards = Pixels(strips, paint.triangles, strips.covered & (strips.depth < depth + near))
        colour, opacity = paint.strips(cards, look, diffuse)
        canvas[cards.flat] += (colour - canvas[cards.flat]) * opacity
        if shell is not None:
            self._lay_shell(canvas, shell, scene, depth, front=True)
        hidden = self._lay_glasses(canvas, scene, eyes, depth)
        self._lay(canvas, scene.held * level[:, None, None, None], scene.held_alpha)
        image = canvas.reshape(count, size, size, 3).permute(0, 3, 1, 2)
        ratio = size // self.size
        covered = (scene.held_alpha[:, 0] > 0.5) | hidden
        if ratio > 1:
            image = avg_pool2d(image, ratio)
            covered = covered[:, ratio // 2 :: ratio, ratio // 2 :: ratio]
            found = Fragments(
                *(
                    t[:, ratio // 2 :: ratio, ratio // 2 :: ratio]
                    for t in (found.triangle, found.barycentric, found.depth)
                )
            )
        return Drawn(encode(image), found, covered)

    @staticmethod
    def _lay(canvas: Tensor, colour: Tensor, alpha: Tensor) -> None:
        """Put a flat layer over everything, in place."""
        share = alpha.permute(0, 2, 3, 1).reshape(-1, 1)
        canvas += (colour.permute(0, 2, 3, 1).reshape(-1, 3) - canvas) * share

    def _shell(self, scene: Scene, eyes: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor] | None:
        """Turned hair: vertices, triangles, values per vertex (height, strand coordinates, light), normals."""
        if not (scene.hair.style > 0).any():
            return None
        turn = matrix_from_rotvec(scene.groups["rotation"])
        cap = (scene.vertices[:, self._scalp] - scene.root[:, None]) @ turn
        scale = (cap.amax(1) - cap.amin(1)) / self._skull
        points, triangles, height, strands = hair_shell(self.model, scene.hair, scale)
        middle = torch.as_tensor(self.model.joint_regressor[3:5] @ self.model.template, device=self.device).mean(0)
        own = ((eyes.mean(1) - scene.root)[:, None] @ turn)[:, 0] + scene.root
        points = self._turned(points + (own - middle)[:, None] * scale.new_tensor([1.0, 1.0, 1.0]), scene)
        normals = vertex_normals(points, triangles)
        far = points - eyes.mean(1, keepdim=True)
        light, shine = light_surface(far, normals, scene.lights, torch.full_like(far[0, :, 0], 0.8), None)
        back, _ = light_surface(far, -normals, scene.lights, torch.full_like(far[0, :, 0], 0.35), None)
        values = torch.cat([height[..., None], strands, light, shine, back], -1)
        return points, triangles, values, normals

    def _lay_shell(
        self, canvas: Tensor, shell: tuple[Tensor, Tensor, Tensor, Tensor], scene: Scene, depth: Tensor, front: bool
    ) -> None:
        """Hair behind the head (its inner side), or in front of it, in place."""
        points, triangles, values, _ = shell
        triangles = triangles if front else triangles.flip(1)
        found = self._raster(points, triangles, scene)
        chosen = found.covered & (found.depth < depth) if front else found.covered
        pixels = Pixels(found, triangles, chosen)
        value = pixels.mix(values)
        of, look = pixels.picture, scene.look
        # Strand coordinates wrap at the back of the head; a jump of a tile is none.
        strands = self.paint.noise_at(value[:, 1:3] * value.new_tensor([0.25, 0.12]), look["shift"][of])
        fine = strands[3]
        hat = scene.hair.style[of] >= 5
        height = value[:, 0]
        ragged = torch.where(hat, 0.0, 0.035 * fine + 0.02 * strands[0])
        alpha = ((height + ragged) * 14 + 0.3).clamp(0, 1) * (height > -0.45)
        hair, cloth = look["hair"][of], scene.cloth[:, :, 0, 0].clamp(0.01, 0.6)[of]
        ribs = 1 + 0.25 * (value[:, 1] * 90).sin()
        tone = torch.where(hat, ribs, (1 + 0.38 * fine + 0.16 * strands[0]).clamp_min(0.15))
        colour = torch.where(hat[:, None], cloth, hair) * tone[:, None]
        # Roots lie in shade.
        colour = colour * (0.55 + 0.45 * (height * 5).clamp(0, 1))[:, None]
        if front:
            gloss = (0.012 + 0.10 * look["gloss"][of]) * (1 + 0.9 * fine).clamp_min(0) * ~hat
            out = colour * value[:, 3:6] + gloss[:, None] * value[:, 6:9]
        else:
            out = colour * value[:, 9:12] * 0.6
        canvas[pixels.flat] += (out - canvas[pixels.flat]) * alpha[:, None]

    def _lay_glasses(self, canvas: Tensor, scene: Scene, eyes: Tensor, depth: Tensor) -> Tensor:
        """Lenses and frames, in place; returns where a dark lens hides the eyes, (B, S, S)."""
        hidden = torch.zeros_like(depth, dtype=torch.bool)
        rows = scene.glasses.worn.nonzero()[:, 0]
        if not len(rows):
            return hidden
        some = take(scene, rows)
        turn = matrix_from_rotvec(some.groups["rotation"])
        flat = (eyes[rows] - some.root[:, None]) @ turn + some.root[:, None]
        breadth = ((some.vertices[:, self._scalp] - some.root[:, None]) @ turn)[..., 0].abs().amax(1)
        points, frame, lens = glasses_mesh(some.glasses, flat, breadth + 0.002)
        points = self._turned(points, some)
        normals = vertex_normals(points, frame)
        far = points - eyes[rows].mean(1, keepdim=True)
        light, shine = light_surface(far, normals, some.lights, torch.full_like(far[0, :, 0], 0.8), None)
        values = torch.cat([light, shine, far], -1)
        size = self.fine
        for triangles, solid in ((lens, False), (frame, True)):
            found = self._raster(points, triangles, some, cull=False)
            pixels = Pixels(found, triangles, found.covered & (found.depth < depth[rows]))
            value, of = pixels.mix(values), pixels.picture
            to = pixels.flat + (rows[of] - of) * (size * size)
            glasses = some.glasses
            if solid:
                canvas[to] = glasses.colour[of] * value[:, :3] + 0.3 * glasses.shiny[of, None] * value[:, 3:6]
            else:
                # A pale streak of the room mirrored in the glass.
                streak = torch.exp(-(((value[:, 6] + 0.6 * value[:, 7]) / 0.012 - 6 * glasses.shiny[of]) ** 2))
                mirrored = (0.02 + 0.10 * glasses.shiny[of] * streak)[:, None] * some.lights.colour[of, 0]
                dark = glasses.dark[of, None]
                canvas[to] = canvas[to] * (1 - dark * (1 - glasses.tint[of])) + mirrored
                opaque = glasses.dark[of] > 0.5
                hidden.view(-1)[to[opaque]] = True
        return hidden

    def batch(self, seed: int, count: int, noise: float = 1.0) -> Batch:
        """``count`` finished pictures with truth; the same seed gives the same batch."""
        dice = Dice(seed, self.device)
        with torch.no_grad():
            scene = self.sample(dice, count)
            drawn = self._draw(scene)
            image = develop(drawn.image, dice, noise)
            return batch_of(self.head, image, scene.vertices, scene.groups, drawn.fragments, drawn.covered)


def synthetic(
    request: Request, *, yaw: float = 60.0, noise: float = 1.0, crop: tuple[float, float] = (1.2, 1.65)
) -> Iterator[Batch]:
    """The source ``synthetic``: endless batches of people who do not exist.

    Args:
        request: what the training run wants.
        yaw: furthest turn to the side in degrees.
        noise: strength of the camera's faults, 0 for none.
        crop: the least and the most side of the crop in sizes of the landmarks' box.
    """
    faces = SyntheticFaces(load_head(request.head), request.size, request.device, yaw=yaw, crop=crop)
    number = request.start
    while True:
        yield faces.batch(request.seed_of(number), request.batch, noise)
        number += 1
