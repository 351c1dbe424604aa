# SPDX-License-Identifier: Apache-2.0
"""Which faces make a batch: so many of each set, in an order that all processes agree on without talking.

Every set is walked in a new random order each epoch; where a batch stands in it follows from its number alone. So no
two processes get the same item (while a set lasts), and a run that was stopped goes on where it was.
"""

from __future__ import annotations

import hashlib
import logging
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from smirk_core.errors import TrainingError

from .face_sets import Face, FaceSet, SampleError

__all__ = ["Failures", "Mix", "Slot", "composition"]

_ATTEMPTS = 8
_log = logging.getLogger(__name__)


def composition(shares: Sequence[float], batch: int) -> list[int]:
    """How many of ``batch`` come from each set: shares normalised and rounded down, the first takes what is left.

    Raises:
        TrainingError: a share is negative, all are 0, or the first set's is so small that rounding leaves it nothing
            it should have.
    """
    total = sum(shares)
    if not shares or min(shares) < 0 or total <= 0:
        raise TrainingError("The shares of the data sets must be 0 or more, and not all 0.")
    counts = [int(batch * share / total + 1e-9) for share in shares]
    counts[0] = batch - sum(counts[1:])
    return counts


@lru_cache(maxsize=32)
def _order(seed: int, place: int, epoch: int, count: int) -> npt.NDArray[np.integer[Any]]:
    return np.random.default_rng([seed % 2**63, place, epoch]).permutation(count)


@dataclass(frozen=True)
class Slot:
    """One place of a batch: which set, which item, and a seed for everything random about it."""

    set: int
    item: int
    seed: int


class Failures:
    """Samples that could not be used, by set and reason; safe to use from many threads."""

    def __init__(self) -> None:
        self.reasons: Counter[tuple[str, str]] = Counter()
        self.read = 0
        self._lock = threading.Lock()

    def count(self, name: str, reason: str | None) -> None:
        """Count a reading; ``reason`` is None where it went well. Failures 1, 10, 100, ... are logged."""
        with self._lock:
            self.read += 1
            if reason is None:
                return
            self.reasons[name, reason] += 1
            number = self.reasons[name, reason]
        if number in (1, 10) or number % 100 == 0:
            _log.warning("%s: %s (%d of %d readings so far); replaced", name, reason, number, self.read)

    @property
    def failed(self) -> int:
        """How many readings failed."""
        return sum(self.reasons.values())

    def __str__(self) -> str:
        lines = [f"{self.failed} of {self.read} samples could not be used and were replaced."]
        lines += [f"  {number:6d}  {name}: {reason}" for (name, reason), number in self.reasons.most_common()]
        return "\n".join(lines)


class Mix:
    """Sets by share.

    Args:
        sets: with their shares.
        batch: faces of one process's batch.
        seed: of the run.
        rank, world: which of how many processes.
        shuffled: False walks each set in its own order.
    """

    def __init__(
        self, sets: Sequence[tuple[FaceSet, float]], batch: int, seed: int, rank: int = 0, world: int = 1,
        *, shuffled: bool = True,
    ) -> None:  # fmt: skip
        if not sets:
            raise TrainingError("There are no data sets: name one or more under 'sets'.")
        self.sets = [s for s, _ in sets]
        self.counts = composition([share for _, share in sets], batch)
        self.failures = Failures()
        self._seed, self._rank, self._world, self._shuffled = seed, rank, world, shuffled

    def slots(self, number: int) -> list[Slot]:
        """The places of batch ``number`` of this process."""
        slots = []
        for place, (faces, count) in enumerate(zip(self.sets, self.counts, strict=True)):
            first = (number * self._world + self._rank) * count
            for position in range(first, first + count):
                epoch, at = divmod(position, len(faces))
                item = int(_order(self._seed, place, epoch, len(faces))[at]) if self._shuffled else at
                words = f"{self._seed} {place} {position} {self._shuffled}".encode()
                slots.append(
                    Slot(place, item, int.from_bytes(hashlib.blake2b(words, digest_size=7).digest(), "little"))
                )
        return slots

    def read(self, slot: Slot) -> tuple[Face, np.random.Generator]:
        """The face of a place and the dice for what is done to it. One that cannot be read is counted and replaced by
        another of the same set.

        Raises:
            TrainingError: eight in a row could not be read.
        """
        faces, dice = self.sets[slot.set], np.random.default_rng(slot.seed)
        item = slot.item
        for _ in range(_ATTEMPTS):
            try:
                face = faces.read(item, dice)
            except SampleError as error:
                self.failures.count(faces.name, str(error))
                item = int(dice.integers(len(faces)))
            else:
                self.failures.count(faces.name, None)
                return face, dice
        raise TrainingError(f"{_ATTEMPTS} samples of '{faces.name}' in a row could not be used.\n{self.failures}")
