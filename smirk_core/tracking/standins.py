# SPDX-License-Identifier: Apache-2.0
"""Lets MediaPipe be imported without the large packages that only its drawing and recording helpers use.

``import mediapipe`` pulls in ``drawing_utils``, which imports OpenCV and matplotlib at its top, and a microphone
recorder that looks for sounddevice. Finding faces calls none of them (MediaPipe's own OpenCV is inside its library).
Together with what they need they are four times the size of MediaPipe itself, so the add-on leaves them out, and
an empty stand-in takes the place of each that is missing *while MediaPipe is imported*. Where the real package is
installed, it is used. A stand-in holds nothing: whoever does ask it for something gets an ``ImportError`` by name.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

__all__ = ["DRAWING_PACKAGES", "StandIn", "without_drawing"]

DRAWING_PACKAGES = ("cv2", "matplotlib", "sounddevice")


class StandIn(ModuleType):
    """A module that can be imported and nothing else."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise ImportError(f"{self.__name__}.{name} was asked for, but {self.__name__} is not installed.", name=name)


class _Loader(Loader):
    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return StandIn(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Nothing to run."""


class _Finder(MetaPathFinder):
    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None):
        if fullname.partition(".")[0] not in DRAWING_PACKAGES:
            return None
        return ModuleSpec(fullname, _Loader(), is_package=True)


@contextlib.contextmanager
def without_drawing() -> Iterator[None]:
    """Within it, an import of a missing one of :data:`DRAWING_PACKAGES` gives a stand-in; afterwards none is left.

    What was imported within keeps its reference; a later ``import cv2`` elsewhere fails as it should.
    """
    finder = _Finder()
    sys.meta_path.append(finder)  # last: a real package is found before
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        for name in [n for n, m in sys.modules.items() if isinstance(m, StandIn)]:
            del sys.modules[name]
