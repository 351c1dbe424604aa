# SPDX-License-Identifier: Apache-2.0
"""Picture files: single photos and sequences of them, as 8-bit upright RGB."""

from __future__ import annotations

import glob
import re
import warnings
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image as Pillow
from PIL import ImageOps, UnidentifiedImageError

from ..errors import MediaError
from .media import Frame, Media, MediaInfo

__all__ = ["PhotoFile", "PictureSequence", "find_sequence", "is_pattern", "is_picture", "load_picture", "numbered_run"]

Image = npt.NDArray[np.uint8]
_MOVING = {"GIF"}  # formats that Pillow opens but that are clips: those go to the video reader
_BY_FFMPEG = {".dpx", ".exr", ".pfm"}  # still pictures that Pillow does not know
_NO_READER = {".heic", ".heif"}
_SUFFIXES = {".avif", ".bmp", ".jp2", ".jpeg", ".jpg", ".png", ".ppm", ".tga", ".tif", ".tiff", ".webp"} | _BY_FFMPEG
_NUMBER = re.compile(r"%0?(\d*)d|#+")
_CLOCKWISE = {3: 180, 4: 180, 5: 90, 6: 90, 7: 270, 8: 270}  # EXIF orientation; 2, 4, 5 and 7 are mirrored as well


def is_picture(path: Path) -> bool:
    """Whether the file is one picture, told from its content where Pillow knows it, else from its name."""
    if path.suffix.lower() in _BY_FFMPEG | _NO_READER:
        return True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Pillow.open(path) as picture:
                return picture.format not in _MOVING
    except Exception:  # a damaged picture still is one: its own reader words the error
        return path.suffix.lower() in _SUFFIXES


def _reason(error: BaseException) -> str:
    text = " ".join(str(getattr(error, "strerror", None) or error).split()).rstrip(".")
    return text or type(error).__name__


def _to_rgb(picture: Pillow.Image) -> Image:
    """8-bit RGB of any Pillow mode; deeper pictures are scaled, transparency lies on middle grey."""
    if picture.mode.startswith("I") or picture.mode == "F":  # 16 and 32 bit grey
        values = np.asarray(picture, dtype=np.float64)
        largest = float(values.max(initial=0.0))
        top = 65535.0 if picture.mode != "F" or largest > 255.0 else 255.0 if largest > 1.0 else 1.0
        grey = np.clip(np.nan_to_num(values) * (255.0 / top) + 0.5, 0, 255).astype(np.uint8)
        return np.repeat(grey[..., None], 3, axis=2)
    if picture.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in picture.info:
        layer = picture.convert("RGBA")
        ground = Pillow.new("RGBA", layer.size, (128, 128, 128, 255))
        picture = Pillow.alpha_composite(ground, layer)
    return np.array(picture.convert("RGB"), dtype=np.uint8, order="C")


def load_picture(path: Path) -> tuple[Image, int]:
    """Read one picture.

    Returns:
        (H, W, 3) uint8 RGB, turned upright by its EXIF orientation, and that turn in degrees clockwise.

    Raises:
        MediaError: missing, damaged, too large or of an unknown kind.
    """
    suffix = path.suffix.lower()
    if suffix in _BY_FFMPEG:
        return _load_with_ffmpeg(path), 0
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # "image may be a bomb": the error above twice that size stays
            with Pillow.open(path) as picture:
                turn = _CLOCKWISE.get(int(picture.getexif().get(0x0112, 1) or 1), 0)
                return _to_rgb(ImageOps.exif_transpose(picture)), turn
    except UnidentifiedImageError as error:
        if suffix in _NO_READER:
            raise MediaError(f"{path} is an HEIC photo, which cannot be read here; save it as JPEG or PNG.") from error
        raise MediaError(f"{path} is not a picture that can be read, or it is damaged.") from error
    except Exception as error:  # Pillow's plug-ins raise SyntaxError, struct.error, zlib.error ... on damaged files
        if isinstance(error, OSError) and error.strerror:
            raise MediaError(f"Cannot read the picture {path}: {error.strerror}.") from error
        raise MediaError(f"The picture {path} is damaged or incomplete ({_reason(error)}).") from error


def _load_with_ffmpeg(path: Path) -> Image:
    import av
    import av.error

    try:
        with av.open(f"file:{path}", options={"protocol_whitelist": "file"}) as container:
            frame = next(container.decode(video=0))
            return np.array(frame.to_ndarray(format="rgb24"), dtype=np.uint8, order="C")
    except (av.error.FFmpegError, OSError, ValueError, StopIteration, IndexError) as error:
        raise MediaError(f"Cannot read the picture {path}: {_reason(error)}.") from error


class PhotoFile(Media):
    """One picture as a clip of one frame at time 0; decoded when opened."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._image, turn = load_picture(path)
        height, width = self._image.shape[:2]
        self.info = MediaInfo(str(path), "photo", width, height, 0.0, 0.0, 1, rotation=turn)

    def _frames(self, start: int, end: int | None, step: int) -> Iterator[Frame]:
        yield Frame(0, 0.0, self._image)


def _natural(path: Path) -> list[Any]:
    """Sort key under which ``f2`` comes before ``f10``."""
    return [(1, int(part), "") if part.isdigit() else (0, 0, part.lower()) for part in re.split(r"(\d+)", path.name)]


def _last_number(path: Path) -> tuple[str, int] | None:
    """The name around the last number of a file name, and that number."""
    found = list(re.finditer(r"\d+", path.stem))
    if not found:
        return None
    last = found[-1]
    return path.stem[: last.start()] + "#" + path.stem[last.end() :] + path.suffix.lower(), int(last.group())


def is_pattern(name: str) -> bool:
    """Whether a path that does not exist reads as a pattern."""
    return glob.has_magic(name) or _NUMBER.search(Path(name).name) is not None


def find_sequence(name: str) -> list[Path]:
    """The pictures of a folder or pattern, in the order of their numbers.

    Raises:
        MediaError: there is none.
    """
    path = Path(name)
    if path.is_dir():
        found = [p for p in path.iterdir() if p.suffix.lower() in _SUFFIXES and not p.name.startswith(".")]
        if not found:
            raise MediaError(f"The folder {name} holds no pictures.")
        return sorted(found, key=_natural)
    if (number := _NUMBER.search(path.name)) is not None:
        text = number.group()
        width = len(text) if text.startswith("#") else int(number.group(1) or 0)
        digits = rf"\d{{{width},}}" if width else r"\d+"
        shape = re.compile(re.escape(path.name[: number.start()]) + digits + re.escape(path.name[number.end() :]))
        folder = path.parent
        found = [p for p in folder.iterdir() if shape.fullmatch(p.name)] if folder.is_dir() else []
    else:
        found = [Path(p) for p in glob.glob(name) if Path(p).is_file()]  # noqa: PTH207 - the pattern may hold folders
    if not found:
        raise MediaError(f"No picture matches {name}.")
    return sorted(found, key=_natural)


def numbered_run(first: Path) -> list[Path]:
    """``first`` and the pictures after it that differ only in their last number, without a gap."""
    shape = _last_number(first)
    if shape is None:
        return [first]
    numbers = {}
    for path in first.parent.iterdir():
        other = _last_number(path)
        if other is not None and other[0] == shape[0]:
            numbers[other[1]] = path
    run, number = [first], shape[1] + 1
    while number in numbers:
        run.append(numbers[number])
        number += 1
    return run


class PictureSequence(Media):
    """Pictures as frames. Numbers in the names are the clock: a missing number leaves its gap in time."""

    def __init__(self, name: str, paths: list[Path], rate: float) -> None:
        super().__init__()
        if not rate > 0:
            raise MediaError(f"The frame rate of a sequence must be above 0, not {rate}.")
        self._paths = paths
        shapes = [_last_number(path) for path in paths]
        counted = [s[1] for s in shapes if s is not None]
        regular = len(counted) == len(paths) and len({s[0] for s in shapes if s is not None}) == 1
        rising = regular and all(a < b for a, b in pairwise(counted))
        self._ticks = [n - counted[0] for n in counted] if rising else list(range(len(paths)))
        first, turn = load_picture(paths[0])
        height, width = first.shape[:2]
        duration = (self._ticks[-1] + 1) / rate
        self.info = MediaInfo(name, "sequence", width, height, rate, duration, len(paths), rotation=turn)

    def _frames(self, start: int, end: int | None, step: int) -> Iterator[Frame]:
        other, damaged = 0, 0
        for index in range(start, min(len(self._paths), len(self._paths) if end is None else end), step):
            try:
                image, _ = load_picture(self._paths[index])
            except MediaError:
                damaged += 1
                continue
            if image.shape[:2] != (self.info.height, self.info.width):
                other += 1
                continue
            yield Frame(index, self._ticks[index] / self.info.rate, image)
        if other:
            self.notes.append(f"{other} picture(s) of another size than the first were left out")
        if damaged:
            self.notes.append(f"{damaged} damaged picture(s) were left out")
