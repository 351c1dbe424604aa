# SPDX-License-Identifier: Apache-2.0
"""How a performance moves a character's shape keys: a table of links, as data that can be edited, saved and shared."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import TakeError
from ..heads.arkit import ARKIT_INDEX
from ..heads.parameters import ARKIT_NAMES
from .names import KINDS, channel_of

__all__ = ["KeyMap", "Link", "Match", "match_keys", "mirrored"]

Floats = npt.NDArray[np.floating[Any]]
_SCHEMA = 1


@dataclass(frozen=True)
class Link:
    """One channel that moves one shape key.

    Attributes:
        source: one of ARKit's 52 names.
        target: name of the shape key.
        gain: slider units per unit of weight; negative turns the motion round.
        offset: slider value where the weight is 0.
        enabled: False keeps the row and lets the key be.
    """

    source: str
    target: str
    gain: float = 1.0
    offset: float = 0.0
    enabled: bool = True

    def __post_init__(self) -> None:
        if self.source not in ARKIT_INDEX:
            raise TakeError(f"'{self.source}' is none of ARKit's 52 channels.")
        if not self.target:
            raise TakeError(f"The channel '{self.source}' has no shape key to move.")
        if not (math.isfinite(self.gain) and math.isfinite(self.offset)):
            raise TakeError(f"Gain and offset of '{self.source}' must be finite numbers.")


@dataclass(frozen=True)
class KeyMap:
    """All links of a character; a key that several channels move gets their sum."""

    links: tuple[Link, ...]

    @property
    def targets(self) -> tuple[str, ...]:
        """Names of the keys that move, each once, in the order of the links."""
        return tuple(dict.fromkeys(link.target for link in self.links if link.enabled))

    def curves(self, weights: Floats) -> tuple[tuple[str, ...], Floats]:
        """Key names (M) and their values (N, M) for (N, 52) ARKit weights.

        Convention: value = sum over the links of (gain * weight + offset). A gain of 1.5 and an offset of 0.1 turn a
        weight of 0.4 into 0.7.

        Raises:
            ValueError: the weights have another shape.
        """
        weights = np.asarray(weights, dtype=np.float64)
        if weights.ndim != 2 or weights.shape[1] != len(ARKIT_NAMES):
            raise ValueError(f"weights: expected (N, {len(ARKIT_NAMES)}), got {weights.shape}")
        names = self.targets
        place = {name: i for i, name in enumerate(names)}
        matrix, offset = np.zeros((len(ARKIT_NAMES), len(names))), np.zeros(len(names))
        for link in self.links:
            if link.enabled:
                matrix[ARKIT_INDEX[link.source], place[link.target]] += link.gain
                offset[place[link.target]] += link.offset
        return names, weights @ matrix + offset

    def to_json(self) -> str:
        """The table as text, for :meth:`from_json`."""
        rows = [asdict(link) for link in self.links]
        return json.dumps({"smirk_key_map": _SCHEMA, "links": rows}, indent=1, ensure_ascii=False)

    @staticmethod
    def from_json(text: str, name: str = "The text") -> KeyMap:
        """Read :meth:`to_json` back; ``name`` is what messages call it.

        Raises:
            TakeError: it is no table of ours, from a newer version, or holds a row that makes no sense.
        """
        try:
            data = json.loads(text)
            schema, rows = data["smirk_key_map"], [dict(row) for row in data["links"]]
        except (ValueError, KeyError, TypeError) as error:
            raise TakeError(f"{name} is not a table of channels and shape keys.") from error
        if not isinstance(schema, int) or schema > _SCHEMA:
            raise TakeError(f"{name} was written by a newer version; update to open it.")
        known = {f.name: f.type for f in fields(Link)}
        links = []
        for row in rows:
            values = {k: v for k, v in row.items() if k in known}
            numbers = [values.get("gain", 1.0), values.get("offset", 0.0)]
            words = [values.get("source"), values.get("target")]
            if (
                not all(isinstance(w, str) for w in words)
                or not all(isinstance(n, (int, float)) and not isinstance(n, bool) for n in numbers)
                or not isinstance(values.get("enabled", True), bool)
            ):
                raise TakeError(f"{name} holds a row that cannot be read: {row}.")
            links.append(Link(**values))
        return KeyMap(tuple(links))


@dataclass(frozen=True)
class Match:
    """What an automatic match has found.

    Attributes:
        keys: the table.
        kinds: for each link how sure it is, one of :data:`smirk_core.retarget.names.KINDS`.
        missing: ARKit channels that no key stands for.
        unused: keys that no channel moves.
    """

    keys: KeyMap
    kinds: tuple[str, ...]
    missing: tuple[str, ...]
    unused: tuple[str, ...]

    @property
    def found(self) -> int:
        """How many of the 52 channels move something."""
        return len(ARKIT_NAMES) - len(self.missing)


def match_keys(names: Iterable[str]) -> Match:
    """Link ARKit's channels to the shape keys of a character by their names.

    A channel moves only the keys that match it best: where a mesh has ``eyeBlinkLeft`` and ``eyeBlink_L``, the first.
    A key for both sides gets half of either, so that both eyes closed are 1; a middle channel that is split into sides
    moves both keys.

    Args:
        names: of all shape keys, the basis may be among them.
    """
    names = list(dict.fromkeys(names))
    found: dict[str, list[tuple[int, str, float]]] = {}
    for name in names:
        channels, kind = channel_of(name)
        for channel in channels:
            found.setdefault(channel, []).append((KINDS.index(kind), name, 1.0 / len(channels)))
    links: list[Link] = []
    kinds: list[str] = []
    for channel in ARKIT_NAMES:
        candidates = found.get(channel, [])
        best = min((kind for kind, _, _ in candidates), default=0)
        chosen = [c for c in candidates if c[0] == best]
        # Two keys of one kind are two spellings of one thing, but for the halves of a middle channel.
        for kind, name, gain in chosen if KINDS[best] == "one side" else chosen[:1]:
            links.append(Link(channel, name, gain))
            kinds.append(KINDS[kind])
    moved = {link.target for link in links}
    sources = {link.source for link in links}
    return Match(
        KeyMap(tuple(links)),
        tuple(kinds),
        tuple(c for c in ARKIT_NAMES if c not in sources),
        tuple(n for n in names if n not in moved),
    )


def _mirror_order(names: Sequence[str]) -> list[int]:
    place = {name: i for i, name in enumerate(names)}

    def other(name: str) -> str:
        for a, b in (("Left", "Right"), ("Right", "Left")):
            if name.endswith(a):
                return name.removesuffix(a) + b
        return name

    return [place[other(name)] for name in names]


_MIRROR = _mirror_order(ARKIT_NAMES)


def mirrored(weights: Floats) -> Floats:
    """(N, 52) ARKit weights with left and right exchanged."""
    return np.asarray(weights)[:, _MIRROR]
