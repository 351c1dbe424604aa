# SPDX-License-Identifier: GPL-3.0-or-later
"""Small pictures from the worker as icons: what the capture sees now, and the faces that were found.

The worker writes them as arrays, (H, W, 3) uint8 RGB with the top row first: Blender's own loading of picture files
would leave a thumbnail of every one in the person's cache folder.
"""

from __future__ import annotations

from typing import Any

import bpy.utils.previews
import numpy as np
import numpy.typing as npt

__all__ = ["LARGEST", "clear", "icon", "show", "shut_down", "start"]

LARGEST = 512  # pixels of the longer side; the worker's are smaller, and a larger one is thinned out
_icons: Any = None
_shown: dict[str, tuple[str, int]] = {}


def start() -> None:
    """Make room for pictures."""
    global _icons
    if _icons is None:
        _icons = bpy.utils.previews.new()


def shut_down() -> None:
    """Give all pictures back."""
    global _icons
    if _icons is not None:
        bpy.utils.previews.remove(_icons)
    _icons = None
    _shown.clear()


def show(name: str, path: str, version: int = 0) -> bool:
    """Make the picture in the file ``path`` the icon ``name``; returns whether it changed.

    The same path with another ``version`` is another picture.

    A file that has gone or cannot be read leaves the icon as it is: the next one comes soon.
    """
    if _icons is None or not path or _shown.get(name) == (path, version):
        return False
    try:
        picture = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return False
    if picture.ndim != 3 or picture.shape[2] not in (3, 4) or picture.dtype != np.uint8 or not picture.size:
        return False
    preview = _icons[name] if name in _icons else _icons.new(name)
    pixels = _pixels(picture)
    preview.image_size = preview.icon_size = (pixels.shape[1], pixels.shape[0])
    for target in (preview.image_pixels_float, preview.icon_pixels_float):
        target.foreach_set(pixels.ravel())
    _shown[name] = path, version
    return True


def _pixels(picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """(H, W, 4) float32 0..1, the bottom row first, as Blender has it."""
    thin = -(-max(picture.shape[:2]) // LARGEST)
    small = picture[::thin, ::thin][::-1]
    pixels = np.ones((*small.shape[:2], 4), dtype=np.float32)
    pixels[..., : small.shape[2]] = small / np.float32(255)
    return pixels


def icon(name: str) -> int:
    """Icon number of a picture for ``template_icon``; 0 where there is none."""
    return _icons[name].icon_id if _icons is not None and name in _shown else 0


def clear(name: str = "") -> None:
    """Forget one picture, or all of them."""
    for key in [name] if name else list(_shown):
        if _shown.pop(key, None) is not None and _icons is not None and key in _icons:
            del _icons[key]
