# SPDX-License-Identifier: Apache-2.0
"""From MakeHuman's vertices to all vertices of the head: skin, eyeballs, teeth, tongue, lashes and brows.

Every sample of a population goes through here, so that each part follows each identity: eyeballs are fitted to the
lids, teeth and tongue are placed behind the lips, lashes and brows grow on the skin.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .build_brows import BrowCards, brow_cards, place_brow
from .build_eyeballs import eyeball
from .build_eyes import opening_matrix
from .build_lashes import LashCards, lash_cards, place_lashes
from .build_layout import MOUTH_COLUMNS, Layout, mean_adult
from .build_makehuman import MakeHuman
from .build_mouth import MouthPart, mouth_place, seal_lining
from .build_parts import flip
from .build_tears import Tears, design_tears, place_tears
from .build_teeth import teeth_row
from .build_tongue import tongue, tongue_out

__all__ = ["FOLLOW", "MATERIALS", "SOCKET_DEPTH", "Assembly", "build_assembly", "fit_eyes"]

Floats = npt.NDArray[np.floating[Any]]
Ints = npt.NDArray[np.integer[Any]]
MM = 1e-3
FITTED_RADIUS = 12.5 * MM
LIP_OVERLAP = 0.15 * MM
OPENING_SHARE = 0.1  # of MakeHuman's variation of the lids' opening that an identity keeps
LID_GAP = 0.15 * MM  # between the ball and the inner edge of the lid margin
SOCKET_DEPTH = 4.5 * MM  # the socket hides this far inside the ball
MATERIALS = (
    "skin", "lips", "mouth", "eye_white", "iris", "pupil", "teeth", "gums", "tongue", "lash", "brow",
    "cornea", "tear", "caruncle",
)  # fmt: skip
# How far a ring of the lid follows the margin onto the ball, outward from the margin.
FOLLOW = np.array([1.0, 1.0, 0.92, 0.78, 0.6, 0.42, 0.26, 0.13, 0.04])
# How much of a ring's thickness over the ball is the mean adult's in everyone: closed lids must clear the ball.
_EVEN = np.array([1.0, 0.85, 0.8, 0.75, 0.66, 0.52, 0.36, 0.18, 0.06])


@dataclass(frozen=True)
class Assembly:
    """The final vertex order and how each part comes out of MakeHuman's vertices.

    Attributes:
        design: (n, 3) source vertices of the mean adult that the parts were designed on.
        slices: part name -> slice of vertices; ``skin`` comes first.
        polygons, materials: (P, 4) and (P,) indices into ``MATERIALS``, all parts.
        polygon_part: (P,) the part's name.
        mirror: (V,) vertex on the other side.
        mouth: ``upper_teeth``, ``lower_teeth`` and ``tongue`` in the frame of the mouth.
        tongue_out: (n, 3) displacement of the tongue's vertices when it is stuck out.
        lashes: of the left eye, grown from lid ring ``lash_ring``; ``tears``: its wet line and caruncle.
        brow: the left one; ``brow_corners``: (n, 3) skin vertices under its own; ``brow_weights``: (n, 3).
        opening: (28, 28) as from :func:`opening_matrix`; ``lid_heights``: (28,) the mean adult's margin;
            ``lid_thickness``: (rings, 28) its lids' height over the ball, from the margin outwards.
        cavity_depth: (S,) edges behind the lips' inner border, 0 outside the mouth.
    """

    layout: Layout
    design: Floats
    slices: dict[str, slice]
    polygons: Ints
    materials: Ints
    polygon_part: npt.NDArray[np.str_]
    mirror: Ints
    ball: Floats
    mouth: dict[str, MouthPart]
    tongue_out: Floats
    lashes: LashCards
    tears: Tears
    lash_ring: int
    brow: BrowCards
    brow_corners: Ints
    brow_weights: Floats
    opening: Floats
    lid_heights: Floats
    lid_thickness: Floats
    cavity_depth: Ints

    @property
    def count(self) -> int:
        return len(self.mirror)

    def skin_of(self, source: Floats) -> Floats:
        """(N, n, 3) source vertices to (N, S, 3) uncorrected skin."""
        flat = np.moveaxis(source, 1, 0).reshape(source.shape[1], -1)
        return np.moveaxis((self.layout.crop @ flat).reshape(-1, *source.shape[::2]), 0, 1)

    def assemble(self, source: Floats) -> tuple[Floats, Floats, Floats]:
        """(N, n, 3) source vertices to (N, V, 3) vertices, (N, 2, 3) eye centres and (N, 2) eye radii."""
        skin = self.skin_of(source)
        self.shrink_cavity(skin)
        self.seal_lips(skin)
        seal_lining(skin, self.layout.mouth_rings, self.layout.seam, self.layout.crop @ self.design)
        self.even_openings(skin)
        centres, radii = fit_eyes(skin, self.layout)
        self.conform(skin, centres, radii)
        vertices = np.zeros((len(skin), self.count, 3))
        vertices[:, self.slices["skin"]] = skin
        for side, name in enumerate(("left_eye", "right_eye")):
            ball = self.ball * [1 - 2 * side, 1, 1]
            vertices[:, self.slices[name]] = centres[:, side, None] + radii[:, side, None, None] * ball
        self.fit_mouth(vertices, source)
        self.grow(vertices, centres)
        return vertices, centres, radii

    def shrink_cavity(self, skin: Floats) -> None:
        """Draw the mouth's cavity together, in place: MakeHuman's reaches up beside the nose and shows through."""
        middle = skin[:, self.layout.mouth_rings[self.layout.seam]].mean(axis=1, keepdims=True)
        share = np.clip(self.cavity_depth / 4, 0, 1)[:, None]
        offset = skin - middle
        offset[..., 1] = np.where(offset[..., 1] > 0, 0.62, 0.85) * offset[..., 1]
        offset[..., 0] *= 0.92
        skin += share * (offset + middle - skin)

    def seal_lips(self, skin: Floats) -> None:
        """Bring the lips together along their seam, in place: a neutral face shows no teeth."""
        rings, seam = self.layout.mouth_rings, self.layout.seam
        half = np.arange(MOUTH_COLUMNS // 4 + 1)
        turn, whole = MOUTH_COLUMNS // 2, MOUTH_COLUMNS
        upper = np.concatenate([half, (whole - half) % whole])
        lower = np.concatenate([turn - half, turn + half])
        gap = skin[:, rings[seam, upper], 1] - skin[:, rings[seam, lower], 1] + LIP_OVERLAP
        for offset, share in ((0, 1.0), (1, 0.8), (-1, 0.8), (2, 0.5), (-2, 0.45), (3, 0.25), (-3, 0.2)):
            ring = rings[seam + offset]
            shift = np.zeros((len(skin), whole))
            shift[:, upper], shift[:, lower] = -gap / 2 * share, gap / 2 * share
            skin[:, ring, 1] += shift

    def even_openings(self, skin: Floats) -> None:
        """Draw the height of every lid opening towards the mean adult's, in place: see ``build_eyes``."""
        for side in range(2):
            rings = self.layout.eye_rings[side][self.layout.first_lid :]
            margin = skin[:, rings[0]]
            height = margin[..., 1] - self.lid_heights
            away = height @ self.opening.T
            shift = -(1 - OPENING_SHARE) / 2 * away
            skin[:, rings, 1] += shift[:, None] * FOLLOW[: len(rings), None]

    def conform(self, skin: Floats, centres: Floats, radii: Floats) -> None:
        """Lay the lid margins onto the balls and hide the sockets inside them, in place."""
        for side in range(2):
            centre, radius = centres[:, side, None, None], radii[:, side, None, None]
            rings = self.layout.eye_rings[side][self.layout.first_lid :]
            lids = skin[:, rings] - centre
            length = np.linalg.norm(lids, axis=-1)
            rest = length[:, :1] - (radius + LID_GAP)
            lids *= (1 - rest * FOLLOW[: len(rings), None] / length)[..., None]
            length = np.linalg.norm(lids, axis=-1)
            thickness = length - radius
            kept = thickness + _EVEN[: len(rings), None] * (self.lid_thickness - thickness)
            skin[:, rings] = lids * ((radius + kept) / length)[..., None] + centre
            inside = skin[:, self.layout.sockets[side]] - centres[:, side, None]
            inside /= np.linalg.norm(inside, axis=-1, keepdims=True)
            depth = (radius[:, 0] - SOCKET_DEPTH)[..., None]
            skin[:, self.layout.sockets[side]] = centres[:, side, None] + inside * depth

    def fit_mouth(self, vertices: Floats, source: Floats) -> None:
        """Place teeth, gums and tongue behind the lips of the skin that is in ``vertices``, in place."""
        layout, skin = self.layout, vertices[:, self.slices["skin"]]
        left, right = self.helper_halves()
        place = mouth_place(skin, layout.mouth_rings, layout.seam, source[:, np.concatenate([left, right])], self.width)
        for name, part in self.mouth.items():
            origin = place.upper if name == "upper_teeth" else place.lower
            vertices[:, self.slices[name]] = origin[:, None] + place.scale[:, None, None] * part.points

    def helper_halves(self) -> tuple[Ints, Ints]:
        """Source vertices of MakeHuman's upper teeth on the left and on the right."""
        helper = self.layout.helpers["helper-upper-teeth"]
        x = self.design[helper, 0]
        return helper[x > MM], helper[x < -MM]

    @property
    def width(self) -> float:
        """Metres between the middles of the halves of MakeHuman's upper teeth in the mean adult."""
        left, right = self.helper_halves()
        return float(self.design[left, 0].mean() - self.design[right, 0].mean())

    def carry(self, source: Floats) -> Floats:
        """(V, 3) how a (n, 3) displacement of source vertices moves the mouth's parts: only the jaw's, as a whole."""
        moved = np.zeros((self.count, 3))
        for name in ("lower_teeth", "tongue"):
            moved[self.slices[name]] = source[self.layout.helpers["helper-lower-teeth"]].mean(axis=0)
        return moved

    def grow(self, vertices: Floats, centres: Floats) -> None:
        """Place lashes, tears and brows on the skin that is in ``vertices``, in place."""
        skin = vertices[:, self.slices["skin"]]
        for side, name in enumerate(("left", "right")):
            rings = self.layout.eye_rings[side]
            edge, away = skin[:, rings[self.lash_ring]], skin[:, rings[self.lash_ring + 2]]
            vertices[:, self.slices[f"{name}_lashes"]] = place_lashes(self.lashes, edge, away, centres[:, side])
            first = self.layout.first_lid
            lids = skin[:, rings[first]], skin[:, rings[first + 1]]
            vertices[:, self.slices[f"{name}_tears"]] = place_tears(self.tears, *lids, centres[:, side], 1 - 2 * side)
            corners = self.brow_corners if side == 0 else self.layout.mirror[self.brow_corners]
            vertices[:, self.slices[f"{name}_brow"]] = place_brow(
                skin, corners, self.brow_weights, self.brow.lifts, 1 - 2 * side
            )


def fit_eyes(skin: Floats, layout: Layout) -> tuple[Floats, Floats]:
    """Balls whose surface runs through the lid margins: (N, 2, 3) centres and (N, 2) radii.

    Least squares over the 28 points of a margin, with the radius drawn towards 12.5 mm.
    """
    centres, radii = [], []
    for side in range(2):
        rim = skin[:, layout.eye_rings[side][layout.first_lid]]
        centre = rim.mean(axis=1) - [0, 0, 0.8 * FITTED_RADIUS]
        radius = np.full(len(skin), FITTED_RADIUS)
        pull = 20.0  # rows' worth of prior on the radius
        for _ in range(12):
            ray = rim - centre[:, None]
            length = np.linalg.norm(ray, axis=-1)
            jacobian = np.concatenate([-ray / length[..., None], -np.ones((*length.shape, 1))], axis=-1)
            residual = length - LID_GAP - radius[:, None]
            normal = np.einsum("nki,nkj->nij", jacobian, jacobian)
            gradient = np.einsum("nki,nk->ni", jacobian, residual)
            normal[:, 3, 3] += pull
            gradient[:, 3] += pull * (radius - FITTED_RADIUS)
            step = np.linalg.solve(normal, gradient[..., None])[..., 0]
            centre = centre - step[:, :3]
            radius = radius - step[:, 3]
        centres.append(centre)
        radii.append(radius)
    return np.stack(centres, axis=1), np.stack(radii, axis=1)


def _bind_frontal(points: Floats, skin: Floats, polygons: Ints) -> tuple[Ints, Floats]:
    """Skin triangles and barycentric weights in front of (n, 2) frontal points: the foremost surface along z."""
    triangles = np.concatenate([polygons[:, :3], polygons[:, [0, 2, 3]]])
    a, b, c = (skin[triangles[:, k]] for k in range(3))
    area = (b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]
    front = area > 1e-12
    triangles, a, b, c, area = triangles[front], a[front], b[front], c[front], area[front]
    p = points[:, None, :]

    def side(u: Floats, v: Floats) -> Floats:
        return (v[None, :, 0] - u[None, :, 0]) * (p[..., 1] - u[None, :, 1]) - (
            (v[None, :, 1] - u[None, :, 1]) * (p[..., 0] - u[None, :, 0])
        )

    weights = np.stack([side(b, c), side(c, a), side(a, b)], axis=-1) / area[None, :, None]
    depth = (weights * np.stack([a[:, 2], b[:, 2], c[:, 2]], axis=-1)[None]).sum(axis=-1)
    hit = (weights >= -1e-9).all(axis=-1)
    best = np.where(hit, depth, -np.inf).argmax(axis=1)
    if not hit[np.arange(len(points)), best].all():
        raise ValueError("a brow stroke misses the skin")
    return triangles[best], weights[np.arange(len(points)), best]


def build_assembly(human: MakeHuman, layout: Layout) -> Assembly:
    """Design the parts on the mean adult and fix the vertex order."""
    source = mean_adult(human)[layout.source]
    skin = np.asarray(layout.crop @ source)
    centres, radii = fit_eyes(skin[None], layout)
    lids = skin[layout.eye_rings[0][layout.first_lid :]] - centres[0, 0]
    thickness = np.linalg.norm(lids, axis=-1) - radii[0, 0]
    thickness += LID_GAP - thickness[0]
    ball = eyeball()
    rim = skin[layout.eye_rings[0][layout.first_lid]]

    mouth = {"upper_teeth": teeth_row("upper"), "lower_teeth": teeth_row("lower"), "tongue": tongue()}

    lash_ring = layout.first_lid + 1
    edge = skin[layout.eye_rings[0][lash_ring]]
    outer, inner = int(np.argmax(edge[:, 0])), int(np.argmin(edge[:, 0]))
    # The ring starts at the top and runs towards the nose: the upper lid is (outer .. n) and (0 .. inner).
    lashes = lash_cards(outer, inner, len(edge))
    tears = design_tears(rim)
    brow = brow_cards()
    corners, weights = _bind_frontal(brow.points + centres[0, 0, :2], skin, layout.polygons)

    lips = _lip_polygons(layout)
    skin_materials = np.where(lips == 1, "lips", np.where(lips == 2, "mouth", "skin"))
    pieces: list[tuple[str, int, Ints, npt.NDArray[np.str_]]] = [
        ("skin", len(skin), layout.polygons, skin_materials),
        ("left_eye", len(ball.points), ball.polygons, ball.materials),
        ("right_eye", len(ball.points), flip(ball.polygons), ball.materials),
        *((name, len(part.points), part.polygons, part.materials) for name, part in mouth.items()),
        ("left_lashes", len(lashes.offsets), lashes.polygons, np.full(len(lashes.polygons), "lash")),
        ("right_lashes", len(lashes.offsets), flip(lashes.polygons), np.full(len(lashes.polygons), "lash")),
        ("left_brow", len(brow.points), brow.polygons, np.full(len(brow.polygons), "brow")),
        ("right_brow", len(brow.points), flip(brow.polygons), np.full(len(brow.polygons), "brow")),
        ("left_tears", tears.count, tears.polygons, tears.materials),
        ("right_tears", tears.count, flip(tears.polygons), tears.materials),
    ]
    slices, polygons, start = {}, [], 0
    for name, count, faces, _ in pieces:
        slices[name] = slice(start, start + count)
        polygons.append(np.where(faces >= 0, faces + start, -1))
        start += count
    names = np.concatenate([p[3] for p in pieces])
    mirror = np.arange(start)
    mirror[slices["skin"]] = layout.mirror
    for a, b in (("eye", "eye"), ("lashes", "lashes"), ("brow", "brow"), ("tears", "tears")):
        mirror[slices[f"left_{a}"]] = np.arange(start)[slices[f"right_{b}"]]
        mirror[slices[f"right_{a}"]] = np.arange(start)[slices[f"left_{b}"]]
    for name, part in mouth.items():
        mirror[slices[name]] = slices[name].start + part.mirror
    return Assembly(
        layout=layout,
        design=source,
        slices=slices,
        polygons=np.concatenate(polygons),
        materials=np.array([MATERIALS.index(str(m)) for m in names]),
        polygon_part=np.concatenate([np.full(len(p[2]), p[0]) for p in pieces]),
        mirror=mirror,
        ball=ball.points,
        mouth=mouth,
        tongue_out=tongue_out(),
        lashes=lashes,
        tears=tears,
        lash_ring=lash_ring,
        brow=brow,
        brow_corners=corners,
        brow_weights=weights,
        opening=opening_matrix(rim),
        lid_heights=rim[:, 1],
        lid_thickness=thickness,
        cavity_depth=_cavity_depth(layout),
    )


def _cavity_depth(layout: Layout) -> Ints:
    """(S,) how many edges a vertex lies behind the lips' inner border, 0 outside the mouth's cavity."""
    rings, seam = layout.mouth_rings, layout.seam
    neighbours: dict[int, set[int]] = {}
    for quad in layout.polygons.tolist():
        for a, b in zip(quad, quad[1:] + quad[:1], strict=True):
            neighbours.setdefault(a, set()).add(b)
            neighbours.setdefault(b, set()).add(a)
    depth = np.zeros(len(layout.mirror), int)
    seen, front, step = set(rings[seam - 3].tolist()), set(rings[seam - 4].tolist()), 1
    while front:
        depth[list(front)] = step
        seen |= front
        front = set().union(*(neighbours[v] for v in front)) - seen
        step += 1
    return depth


def _lip_polygons(layout: Layout) -> Ints:
    """(P,) 1 for quads of the red of the lips, 2 for the mouth's inside, 0 elsewhere."""
    rings, seam = layout.mouth_rings, layout.seam
    red = np.zeros(len(layout.mirror), bool)
    red[rings[seam - 3 : seam + 7].ravel()] = True
    mouth = _cavity_depth(layout) > 0
    mouth[rings[seam - 3]] = True
    result = np.zeros(len(layout.polygons), int)
    result[mouth[layout.polygons].all(axis=1)] = 2
    result[red[layout.polygons].all(axis=1)] = 1
    return result
