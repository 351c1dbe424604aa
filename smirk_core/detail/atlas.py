# SPDX-License-Identifier: Apache-2.0
"""All groups in the channels of one picture: groups that do not touch share a channel.

Two 16 bit pictures: ``heights`` with red, green and blue, and ``owners`` that says for each texel and channel whose
height it is. A shader multiplies each channel by the activation of the owner and adds up.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..heads.head_model import HeadModel
from .heights import WrinkleMaps, wrinkle_maps
from .surface import Window

__all__ = ["CHANNELS", "RANGE", "Atlas", "png_bytes", "wrinkle_atlas"]

Floats = npt.NDArray[np.floating[Any]]
Ints = npt.NDArray[np.integer[Any]]
CHANNELS = 3
RANGE = 0.004  # metres between the values 0 and 1; 0.5 is level
_COARSE = 512  # texels of ``owners`` to a side of the UV square
_GAPS = (2, 1, 0)  # texels of ``owners`` that groups of one channel keep apart, as many as there is room for
_LEVELS = 4096  # heights told apart, a micrometre each: finer ones only make the file larger


@dataclass(frozen=True)
class Atlas:
    """The groups, packed.

    Attributes:
        window: the part of the UV square that the pictures cover.
        heights: (height, width, 3) uint16: 32768 is level, 65535 is half of :data:`RANGE` above it.
        owners: (height / block, width / block, 3) uint8: 0 nobody, else the number of the group and 1.
        channels: (G,) the channel of each group.
        block: texels of ``heights`` to one of ``owners``.
    """

    window: Window
    heights: npt.NDArray[np.uint16]
    owners: npt.NDArray[np.uint8]
    channels: Ints
    block: int

    def height(self, weights: Floats) -> Floats:
        """(height, width) float32 metres at weights (G,), read from the pictures as a shader does."""
        raised = (self.heights.astype(np.float32) - 32768) * np.float32(RANGE / 65535)
        rows, columns = raised.shape[:2]
        owners = self.owners.repeat(self.block, axis=0).repeat(self.block, axis=1)[:rows, :columns]
        table = np.concatenate([[0.0], np.asarray(weights)]).astype(np.float32)
        return (raised * table[owners]).sum(axis=2)


_cache: dict[tuple[str, int, int, int], Atlas] = {}


def wrinkle_atlas(model: HeadModel, size: int = 2048, seed: int = 0) -> Atlas:
    """The generic wrinkles of a head, packed; arguments and errors as :func:`smirk_core.detail.heights.wrinkle_maps`.

    Raises:
        AssetError: the head has no UVs or no dense landmarks.
        ValueError: more groups lie over each other than there are channels.
    """
    key = (model.digest, hash(model.uvs.tobytes()), size, seed)
    if key not in _cache:
        while len(_cache) >= 3:
            _cache.pop(next(iter(_cache)))
        _cache[key] = pack(wrinkle_maps(model, size, seed))
    return _cache[key]


def pack(maps: WrinkleMaps) -> Atlas:
    """Give every group a channel and draw it there.

    Raises:
        ValueError: more groups lie over each other than there are channels.
    """
    window = maps.surface.window
    block = min(4, max(1, window.size // _COARSE))  # windows are whole fours
    coarse = (window.height // block, window.width // block)
    heights = np.full((window.height * window.width, CHANNELS), 32768, np.uint16)
    owners = np.zeros((*coarse, CHANNELS), np.uint8)
    step = 65536 // _LEVELS
    cells = [_cells(maps, index, coarse, block) for index in range(len(maps.groups))]
    wide, channels = cells, None
    for gap in _GAPS:
        wide = [_grown(own, gap) for own in cells]
        touch = np.array([[bool((a & b).any()) for b in cells] for a in wide])
        touch |= touch.T
        np.fill_diagonal(touch, False)
        channels = _coloured(touch)
        if channels is not None:
            break
    if channels is None:
        raise ValueError(f"the groups lie over each other more than {CHANNELS} deep")
    for index, channel in enumerate(channels):
        # The gap is nobody's but the group's own; where two gaps meet, both heights are level.
        owners[..., channel][wide[index] & (owners[..., channel] == 0)] = index + 1
        owners[..., channel][cells[index]] = index + 1
        flat = maps.surface.texels[maps.texels[index]]
        value = np.rint(maps.heights[index] / (RANGE * step / 65535)) * step
        heights[flat, channel] = np.clip(32768 + value, 0, 65535).astype(np.uint16)
    return Atlas(window, heights.reshape(window.height, window.width, CHANNELS), owners, channels, block)


def _coloured(touch: npt.NDArray[np.bool_]) -> Ints | None:
    """(G,) a channel for each group, none equal to that of a group it touches; None where there is no such choice.

    Method: a search that takes back its steps, those with the most neighbours first.
    """
    order = np.argsort(-touch.sum(axis=1), kind="stable")
    channels = np.full(len(touch), -1)
    depth, trial = 0, np.zeros(len(touch), int)
    while 0 <= depth < len(order):
        index = order[depth]
        channels[index] = -1
        used = set(channels[touch[index]].tolist())
        free = [c for c in range(trial[depth], CHANNELS) if c not in used]
        if free:
            channels[index], trial[depth] = free[0], free[0] + 1
            depth += 1
            trial[depth : depth + 1] = 0
        else:
            depth -= 1
    return None if depth < 0 else channels


def _cells(maps: WrinkleMaps, index: int, coarse: tuple[int, int], block: int) -> npt.NDArray[np.bool_]:
    """Texels of ``owners`` that a group touches."""
    row, column = np.divmod(maps.surface.texels[maps.texels[index]], maps.surface.window.width)
    own = np.zeros(coarse, bool)
    own[row // block, column // block] = True
    return own


def _grown(mask: npt.NDArray[np.bool_], steps: int) -> npt.NDArray[np.bool_]:
    """The mask and all texels within some steps of it."""
    for _ in range(steps):
        wide = np.pad(mask, 1)
        mask = wide[:-2, 1:-1] | wide[2:, 1:-1] | wide[1:-1, :-2] | wide[1:-1, 2:] | mask
    return mask


def png_bytes(picture: npt.NDArray[np.unsignedinteger[Any]]) -> bytes:
    """A PNG of (H, W), or (H, W, 3), in 8 or 16 bits as the array has; Pillow writes no 16 bit colour.

    Rows are stored as differences to the row above, which suits smooth heights.

    Raises:
        ValueError: another shape or type.
    """
    if picture.dtype not in (np.uint8, np.uint16) or picture.ndim not in (2, 3) or picture.shape[2:] not in ((), (3,)):
        raise ValueError(f"no PNG can be made of {picture.dtype} {picture.shape}")
    bits = 8 * picture.dtype.itemsize
    data = np.ascontiguousarray(picture.astype(picture.dtype.newbyteorder(">"))).view(np.uint8)
    rows = data.reshape(len(picture), -1)
    change = rows.copy()
    change[1:] -= rows[:-1]  # bytes wrap around, as the format wants
    raw = np.concatenate([np.full((len(rows), 1), 2, np.uint8), change], axis=1).tobytes()

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    colour = 2 if picture.ndim == 3 else 0
    head = struct.pack(">IIBBBBB", picture.shape[1], picture.shape[0], bits, colour, 0, 0, 0)
    body = zlib.compress(raw, 6)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")
