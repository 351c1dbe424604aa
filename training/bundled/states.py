# SPDX-License-Identifier: Apache-2.0
"""What a run of the bundled encoder keeps, and networks made from it. Nothing in a state runs when it is read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn

from smirk_core.errors import TrainingError

from .answers import Answers
from .networks import WIDTHS, Student, Teacher

__all__ = ["begin_from", "load_network", "make", "read_state", "widths_of"]


def read_state(run: Path) -> dict[str, Any] | None:
    """The newest state of a run, on the processor, or None.

    Raises:
        TrainingError: it is damaged.
    """
    path = run / "state.pt"
    if not path.is_file():
        return None
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # whatever a damaged archive makes torch raise
        raise TrainingError(f"{path} cannot be read ({error}); delete it to begin anew.") from error


def widths_of(state: dict[str, Any]) -> tuple[int, ...]:
    """Channels of a state's network; states without a word of them have the usual ones."""
    return tuple(state.get("widths", WIDTHS))


def load_network(run: Path, answers: Answers) -> nn.Module:
    """The averaged network of a run, ready to be asked, on the device of the answers.

    Raises:
        TrainingError: there is none.
    """
    state = read_state(run)
    if state is None:
        raise TrainingError(f"There is no state in {run}; train it first.")
    network = make(state["kind"], answers, state["size"], tuple(state["depth"]), widths_of(state))
    network.load_state_dict(state["average"]["values"])
    return network.eval().to(answers.device, memory_format=torch.channels_last)  # type: ignore[call-overload]


def make(
    kind: str, answers: Answers, size: int, depth: tuple[int, ...], widths: tuple[int, ...] = WIDTHS
) -> nn.Module:  # fmt: skip
    """ "teacher" of so many residual blocks and channels a stage, or "student", which has its own.

    Raises:
        TrainingError: depth and widths do not name the teacher's three stages.
    """
    if kind != "teacher":
        return Student(answers)
    if len(depth) != len(WIDTHS) or len(widths) != len(WIDTHS) or min(*depth, *widths) < 1:
        raise TrainingError(f"The teacher has {len(WIDTHS)} stages: depth {depth} and widths {widths} do not fit.")
    return Teacher(answers, size, widths, depth)


def begin_from(network: nn.Module, run: Path) -> None:
    """Take over the averaged weights of another run, as far as the network has them; new blocks begin as nothing.

    Raises:
        TrainingError: there is no such run, or its layers have other sizes.
    """
    state = read_state(run)
    if state is None:
        raise TrainingError(f"There is no state in {run} to begin from.")
    try:
        known = network.load_state_dict(state["average"]["values"], strict=False)
    except RuntimeError as error:
        raise TrainingError(f"The network of {run} does not fit: {error}") from error
    if known.unexpected_keys:
        raise TrainingError(f"The network of {run} has layers that this one lacks: {known.unexpected_keys[0]}, ...")
