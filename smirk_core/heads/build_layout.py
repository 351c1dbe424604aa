# SPDX-License-Identifier: Apache-2.0
"""Cuts the head out of MakeHuman's body and names the loops of its mesh: lids, lips, neck.

The cut is a scalar field. Every quad with a vertex above it stays, and vertices below it slide along an edge onto
it, so that the neck ends in one smooth loop. Sliding is a sparse linear map, which carries over to every target.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from .build_makehuman import MakeHuman, load_target

__all__ = ["HELPERS", "MOUTH_COLUMNS", "Layout", "build_layout", "mean_adult", "vertex_normals"]

Floats = npt.NDArray[np.floating[Any]]
Ints = npt.NDArray[np.integer[Any]]
HELPERS = ("helper-upper-teeth", "helper-lower-teeth", "helper-tongue")
EYE_COLUMNS, MOUTH_COLUMNS = 28, 38


@dataclass(frozen=True)
class Layout:
    """Which of MakeHuman's vertices the head needs, and the topology of its skin.

    Attributes:
        source: (n,) indices into MakeHuman's vertices; "source space" below is this subset.
        crop: (S, n) sparse map from source space to the skin.
        helpers: group name -> indices into source space.
        polygons: (P, 4) skin quads.
        mirror: (S,) skin vertex on the other side.
        eye_rings: (2, rings, 28) skin indices, left then right, from inside the socket to outside.
        first_lid: the ring on the inner edge of the lid margin, which touches the eyeball.
        sockets: (2, k) skin vertices behind the lids.
        mouth_rings: (rings, 38) from the mouth cavity to the outside.
        seam: index of the mouth ring where the lips meet.
        neck_loop: (m,) the boundary.
    """

    source: Ints
    crop: sparse.csr_matrix
    helpers: dict[str, Ints]
    polygons: Ints
    mirror: Ints
    eye_rings: Ints
    first_lid: int
    sockets: Ints
    mouth_rings: Ints
    seam: int
    neck_loop: Ints


def mean_adult(human: MakeHuman) -> Floats:
    """(19158, 3) a young adult between the sexes and ancestries: where the cut is designed."""
    vertices = human.vertices.copy()
    for gender in ("male", "female"):
        vertices += load_target(human, f"macrodetails/universal-{gender}-young-averagemuscle-averageweight") / 2
        for race in ("african", "asian", "caucasian"):
            vertices += load_target(human, f"macrodetails/{race}-{gender}-young") / 6
    return vertices


def vertex_normals(vertices: Floats, polygons: Ints) -> Floats:
    """(V, 3) unit normals, area weighted."""
    quads = polygons[:, 3] >= 0
    corners = np.concatenate([polygons[:, :3], polygons[quads][:, [0, 2, 3]]])
    a, b, c = (vertices[corners[:, k]] for k in range(3))
    face = np.cross(b - a, c - a)
    normals = np.zeros_like(vertices)
    for k in range(3):
        np.add.at(normals, corners[:, k], face)
    return normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-20)


class _Topology:
    """Neighbours and edge loops of a quad mesh."""

    def __init__(self, polygons: Ints) -> None:
        self.neighbours: dict[int, set[int]] = defaultdict(set)
        self.edge_faces: dict[frozenset[int], list[int]] = defaultdict(list)
        for face, quad in enumerate(polygons.tolist()):
            corners = [v for v in quad if v >= 0]
            for a, b in zip(corners, corners[1:] + corners[:1], strict=True):
                self.neighbours[a].add(b)
                self.neighbours[b].add(a)
                self.edge_faces[frozenset((a, b))].append(face)

    def loop(self, a: int, b: int, limit: int = 100) -> list[int] | None:
        """The closed edge loop through edge (a, b), straight on at every vertex, or None."""
        path = [a, b]
        while len(path) < limit:
            last, here = path[-2], path[-1]
            if len(self.neighbours[here]) != 4:
                return None
            faces = set(self.edge_faces[frozenset((last, here))])
            ahead = [
                n for n in self.neighbours[here] if n != last and not faces & set(self.edge_faces[frozenset((here, n))])
            ]
            if len(ahead) != 1:
                return None
            if ahead[0] == path[0]:
                return path
            path.append(ahead[0])
        return None

    def chain(self, ring: list[int], beyond: set[int], limit: int) -> list[list[int]]:
        """Rings outward from ``ring``, column by column, on the side that is not ``beyond``."""
        rings, before = [ring], set(beyond)
        while len(rings) < limit:
            ring = rings[-1]
            members = set(ring)
            following = []
            for vertex in ring:
                ahead = self.neighbours[vertex] - members - before
                if len(ahead) != 1:
                    return rings
                following.append(ahead.pop())
            if len(set(following)) != len(ring):
                return rings
            before = members
            rings.append(following)
        return rings

    def boundary(self) -> list[int]:
        """The vertices of the one open loop, in order, starting at the smallest index."""
        edges = [tuple(e) for e, faces in self.edge_faces.items() if len(faces) == 1]
        following: dict[int, list[int]] = defaultdict(list)
        for a, b in edges:
            following[a].append(b)
            following[b].append(a)
        start = min(following)
        path, last = [start], -1
        while True:
            here = path[-1]
            ahead = sorted(v for v in following[here] if v != last)[0]
            if ahead == start:
                return path
            last = here
            path.append(ahead)


def _field(vertices: Floats, eye: Floats) -> Floats:
    """Metres above the cut: a plane that is lower at the throat than at the nape."""
    return (vertices[:, 1] - (eye[1] - 0.163)) + 0.42 * (vertices[:, 2] - (eye[2] - 0.085))


def _cut(human: MakeHuman, shape: Floats, eye: Floats) -> tuple[Ints, Ints, Ints, sparse.csr_matrix]:
    """(quads kept, body vertices kept, source indices, crop matrix) of the skin."""
    quads = human.faces["body"]
    height = _field(shape, eye)
    inside = height > 0
    kept = quads[inside[quads].any(axis=1)]
    # Only the part that hangs together with the nose: raised hands would pass the field too.
    topology = _Topology(kept)
    seen, front = set(), {int(kept[np.argmax(shape[kept].mean(axis=1)[:, 2]), 0])}
    while front:
        seen |= front
        front = set().union(*(topology.neighbours[v] for v in front)) - seen
    kept = kept[np.isin(kept, list(seen)).all(axis=1)]
    vertices = np.unique(kept)
    rows, columns, values = [], [], []
    mirror = human.mirror
    for row, vertex in enumerate(vertices.tolist()):
        if inside[vertex]:
            rows.append(row)
            columns.append(vertex)
            values.append(1.0)
            continue
        near = [v for v in topology.neighbours[vertex] if inside[v]]
        if not near:  # only reachable across a quad
            faces = kept[(kept == vertex).any(axis=1)]
            near = [int(v) for v in np.unique(faces) if inside[v]]
        # The steepest way up; ties are broken the same way on both sides of the head.
        best = max(near, key=lambda v: (round(height[v], 9), -min(v, int(mirror[v]))))
        t = height[best] / (height[best] - height[vertex])
        rows += [row, row]
        columns += [best, vertex]
        values += [1 - t, t]
    source = np.unique(np.concatenate([columns, *(human.group(g) for g in HELPERS)]))
    columns = np.searchsorted(source, columns)
    crop = sparse.csr_matrix((values, (rows, columns)), shape=(len(vertices), len(source)))
    return kept, vertices, source, crop


def build_layout(human: MakeHuman) -> Layout:
    """Cut the head and find its loops."""
    shape = mean_adult(human)
    ball = shape[human.group("helper-l-eye")]
    eye = (ball.max(axis=0) + ball.min(axis=0)) / 2
    kept, vertices, source, crop = _cut(human, shape, eye * [0, 1, 1])
    polygons = np.searchsorted(vertices, kept)
    mirror = np.searchsorted(vertices, human.mirror[vertices])
    skin = crop @ shape[source]
    topology = _Topology(polygons)
    normals = vertex_normals(skin, polygons)

    # Eyes: the loops around the eye; skin that faces the eye's centre is socket.
    offset = skin - eye
    distance = np.linalg.norm(offset, axis=1)
    facing = (offset * normals).sum(axis=1) / distance
    loops: dict[frozenset[int], list[int]] = {}
    for edge in topology.edge_faces:
        a, b = sorted(edge)
        if distance[a] < 0.03 and distance[b] < 0.03:
            loop = topology.loop(a, b)
            if loop and len(loop) == EYE_COLUMNS:
                loops.setdefault(frozenset(loop), loop)
    # The margin's inner edge is the loop where the skin turns: between facing -0.4 and 0.
    turning = sorted(loops.values(), key=lambda ring: abs(facing[ring].mean() + 0.4))
    margin = turning[0]
    start = int(np.argmax(skin[margin, 1]))  # begin at the top, run towards the nose
    margin = margin[start:] + margin[:start]
    if skin[margin[4], 0] > skin[margin[-4], 0]:
        margin = margin[:1] + margin[:0:-1]
    inner_side = {v for v in set().union(*(topology.neighbours[m] for m in margin)) - set(margin) if facing[v] < -0.7}
    outward = topology.chain(margin, inner_side, 9)
    inward = topology.chain(margin, set(outward[1]), 4)
    rings = [*inward[:0:-1], *outward]
    first_lid = len(inward) - 1
    left = np.array(rings)
    sockets, front, stop = set(), set(inward[1]), set(margin)
    while front:
        sockets |= front
        front = set().union(*(topology.neighbours[v] for v in front)) - sockets - stop
    left_socket = np.array(sorted(sockets))

    # Mouth: loops of 38 around the lips; the seam is the loop with the least height.
    middle = np.array([0, eye[1] - 0.065, eye[2]])
    around = np.linalg.norm(skin - middle, axis=1) < 0.07
    mouth: dict[frozenset[int], list[int]] = {}
    for edge in topology.edge_faces:
        a, b = sorted(edge)
        if around[a] and around[b]:
            loop = topology.loop(a, b)
            if loop and len(loop) == MOUTH_COLUMNS and np.ptp(skin[loop, 0]) > 0.03:
                mouth.setdefault(frozenset(loop), loop)
    seam = min(mouth.values(), key=lambda ring: np.ptp(skin[ring, 1]))
    start = int(np.argmax(skin[seam, 1] - 10 * np.abs(skin[seam, 0])))  # the middle of the upper lip
    seam = seam[start:] + seam[:start]
    if skin[seam[3], 0] < 0:  # run towards the subject's left
        seam = seam[:1] + seam[:0:-1]
    sides = set().union(*(topology.neighbours[m] for m in seam)) - set(seam)
    front_side = {v for v in sides if skin[v, 2] > np.median(skin[list(sides), 2])}
    first = [next(iter(topology.neighbours[v] - set(seam))) for v in seam]  # any one side, to tell the two apart
    one = topology.chain(seam, sides - _same_side(topology, first[0], sides, set(seam)), 12)
    two = topology.chain(seam, set(one[1]), 12)
    inside, outside = (two, one) if len(front_side & set(one[1])) > len(front_side & set(two[1])) else (one, two)
    mouth_rings = np.array([*inside[:0:-1], *outside])

    index = {int(v): i for i, v in enumerate(source)}
    return Layout(
        source=source,
        crop=crop,
        helpers={g: np.array([index[int(v)] for v in human.group(g)]) for g in HELPERS},
        polygons=polygons,
        mirror=mirror,
        eye_rings=np.stack([left, mirror[left]]),
        first_lid=first_lid,
        sockets=np.stack([left_socket, mirror[left_socket]]),
        mouth_rings=mouth_rings,
        seam=len(inside) - 1,
        neck_loop=np.array(topology.boundary()),
    )


def _same_side(topology: _Topology, seed: int, among: set[int], wall: set[int]) -> set[int]:
    """The vertices of ``among`` that hang together with ``seed`` without crossing ``wall``."""
    seen, front = set(), {seed}
    while front:
        seen |= front
        front = (set().union(*(topology.neighbours[v] for v in front)) & among) - seen - wall
    return seen
