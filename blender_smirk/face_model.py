# SPDX-License-Identifier: GPL-3.0-or-later
"""MediaPipe's ``face_landmarker.task``: whether it is there, and how it gets there. No bpy in here.

Newer MediaPipe (Python 3.13) comes without its models. The file is verified by its SHA-256 whichever way it comes.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import ssl
import threading
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from smirk_core import user_assets
from smirk_core.errors import AssetError, Cancelled, SmirkError
from smirk_core.export.atomic import atomic
from smirk_core.tracking.face_graphs import FACE_LANDMARKER_SHA256, FACE_LANDMARKER_URL

from .worker_client import core_folder

__all__ = ["FaceModelState", "begin_download", "download", "finished", "install", "progress", "state", "stop_download"]

SIZE = 3_758_596  # bytes
_NAME = "face_landmarker.task"
_CHUNK = 1 << 16
_TIMEOUT = 30.0  # seconds without a byte


@dataclass(frozen=True)
class FaceModelState:
    """Where the face model is.

    Attributes:
        kind: "bundled" (in the add-on), "here" (brought by the person), "wrong" (another file) or "missing".
        path: of the file.
    """

    kind: str
    path: str = ""

    @property
    def usable(self) -> bool:
        """Whether faces can be found with it."""
        return self.kind in ("bundled", "here")


_checked: dict[tuple[str, int, int], bool] = {}


def state() -> FaceModelState:
    """Where the face model is; quick enough to be asked at every redraw."""
    given = os.environ.get("SMIRK_FACE_LANDMARKER")
    own = Path(given) if given else user_assets.find("face_landmarker")
    if own is not None and own.is_file():
        return FaceModelState("here" if _right(own) else "wrong", str(own))
    bundled = Path(core_folder()) / "assets" / _NAME
    if bundled.is_file() and _right(bundled):
        return FaceModelState("bundled", str(bundled))
    return FaceModelState("missing")


def _right(path: Path) -> bool:
    try:
        facts = path.stat()
        key = (str(path), facts.st_size, facts.st_mtime_ns)
        if key not in _checked:
            _checked[key] = facts.st_size == SIZE and _digest(path.read_bytes()) == FACE_LANDMARKER_SHA256
    except OSError:
        return False
    return _checked[key]


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def install(path: str | os.PathLike[str]) -> Path:
    """Check a file and copy it to the data folder; returns where it is now.

    Raises:
        AssetError: it cannot be read or is not the face model. ExportError: the data folder cannot be written.
    """
    source = Path(path)
    try:
        if source.stat().st_size != SIZE:
            raise AssetError(f"{source.name} is not MediaPipe's face model: it should have {SIZE} bytes.")
        data = source.read_bytes()
    except OSError as error:
        raise AssetError(f"Cannot read {source}: {error.strerror or error}.") from error
    return _keep(data, str(source))


def _keep(data: bytes, source: str) -> Path:
    if _digest(data) != FACE_LANDMARKER_SHA256:
        raise AssetError(f"{source} is not MediaPipe's face model (its SHA-256 is {_digest(data)[:16]}…).")
    place = user_assets.place("face_landmarker") / _NAME
    with atomic(place) as temporary:
        temporary.write_bytes(data)
    return place


def download(
    url: str = FACE_LANDMARKER_URL,
    tell: Callable[[float], None] = lambda share: None,
    stop: threading.Event | None = None,
) -> Path:
    """Fetch the face model, check it and put it in place. Call it only when the person allows going online.

    Args:
        tell: called with the share that has arrived, 0 to 1.
        stop: ends it when set.

    Raises:
        AssetError: no connection, or another file. ExportError: no place to put it. Cancelled: ``stop`` was set.
    """
    data = bytearray()
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT, context=_certificates(url)) as answer:
            while chunk := answer.read(_CHUNK):
                if stop is not None and stop.is_set():
                    raise Cancelled("Stopped.")
                data += chunk
                tell(min(len(data) / SIZE, 1.0))
                if len(data) > SIZE:
                    break  # not ours; the check says so
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        raise AssetError(f"The face model cannot be downloaded from {url}: {reason}.") from error
    return _keep(bytes(data), url)


def _certificates(url: str) -> ssl.SSLContext | None:
    """Trust what Blender's certifi trusts: its Python does not know the system's certificates everywhere."""
    if not url.startswith("https:"):
        return None
    with contextlib.suppress(ImportError):
        import certifi

        return ssl.create_default_context(cafile=certifi.where())
    return ssl.create_default_context()


class _Download(threading.Thread):
    """A download beside Blender's main thread; touches no bpy."""

    def __init__(self, url: str) -> None:
        super().__init__(name="smirk-download", daemon=True)
        self.url, self.share, self.stop = url, 0.0, threading.Event()
        self.problem: SmirkError | None = None

    def run(self) -> None:
        try:
            download(self.url, self._tell, self.stop)
        except SmirkError as error:
            self.problem = error
        except Exception as error:
            self.problem = AssetError(f"The face model cannot be downloaded: {error}.")

    def _tell(self, share: float) -> None:
        self.share = share


_download: _Download | None = None


def begin_download(url: str = FACE_LANDMARKER_URL) -> None:
    """Start a download in the background; :func:`finished` gives its end."""
    global _download
    stop_download()
    _download = _Download(url)
    _download.start()


def progress() -> float | None:
    """The share that has arrived; None where nothing is being downloaded."""
    return _download.share if _download is not None else None


def finished() -> bool:
    """Whether the download has come to its end, which is told once.

    Raises:
        SmirkError: how it failed. Cancelled: it was stopped.
    """
    global _download
    if _download is None or _download.is_alive():
        return False
    ended, _download = _download, None
    if ended.problem is not None:
        raise ended.problem
    return True


def stop_download() -> None:
    """Ask a download to end; it may take a moment, and writes nothing."""
    if _download is not None:
        _download.stop.set()
