# SPDX-License-Identifier: Apache-2.0
"""Where a training run gets its batches: sources by name, and what is asked of them."""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from smirk_core.errors import TrainingError

from . import SOURCES

if TYPE_CHECKING:
    from smirk_core.neural.paths import Batch

__all__ = ["Request", "Source", "open_source"]


@dataclass(frozen=True)
class Request:
    """What a training run wants from a source.

    Attributes:
        size: of the square pictures in pixels.
        batch: pictures in each batch of this process.
        seed: of the run.
        start: number of the first batch. Batch k depends on (seed, k, rank) alone, so that a run that was stopped and
            goes on sees what it would have seen.
        rank, world: which of how many processes; no two get the same samples.
        device: where the tensors shall be.
        head: name or file of the head model that truth and landmarks speak of.
        training: whether pictures are augmented; False for held-out data.
        aligned: whether photos come with what a face recogniser wants to see (``Batch.aligned``).
    """

    size: int = 112
    batch: int = 16
    seed: int = 0
    start: int = 0
    rank: int = 0
    world: int = 1
    device: str = "cpu"
    head: str = "open"
    training: bool = True
    aligned: bool = False

    def seed_of(self, number: int) -> int:
        """A seed for batch ``number`` of this process, different for every (seed, number, rank)."""

        words = f"{self.seed} {number} {self.rank} {int(self.training)}".encode()
        return int.from_bytes(hashlib.blake2b(words, digest_size=7).digest(), "little")


Source = Callable[..., "Iterator[Batch]"]


def open_source(name: str, request: Request, options: Mapping[str, Any] | None = None) -> Iterator[Batch]:
    """Endless batches of the source ``name``.

    Args:
        name: a key of :data:`training.data.SOURCES`.
        request: see :class:`Request`.
        options: what this source alone understands, as keyword arguments.

    Raises:
        TrainingError: there is no such source, or it does not know an option.
    """
    if name not in SOURCES:
        raise TrainingError(f"There is no data source '{name}'; there are {', '.join(sorted(SOURCES))}.")
    module, function = SOURCES[name].split(":")
    source: Source = getattr(importlib.import_module(module), function)
    try:
        return iter(source(request, **dict(options or {})))
    except TypeError as error:
        if "argument" not in str(error):
            raise
        raise TrainingError(f"The data source '{name}' does not take that: {error}.") from error
