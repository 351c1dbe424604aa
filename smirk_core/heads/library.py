# SPDX-License-Identifier: Apache-2.0
"""Heads by name or file: the one door through which every part of the product gets a :class:`HeadModel`."""

from __future__ import annotations

import os
from pathlib import Path

from .head_model import HeadModel
from .open_head import OPEN_HEAD_PATH, load_open_head

__all__ = ["load_head"]


def load_head(head: str | os.PathLike[str] = "open") -> HeadModel:
    """The head called ``open``, or one read from a file in the open head's format.

    Raises:
        AssetError: the file is missing, damaged or of another kind.
    """
    return load_open_head(OPEN_HEAD_PATH if str(head) == "open" else Path(head))
