# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes to a file without anyone watching: what the command line needs of Blender."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from pathlib import Path

import bpy

from smirk_core.heads.head_model import HeadModel
from smirk_core.progress import Progress, silent
from smirk_core.take import Take

from . import api

__all__ = ["write_scene"]


def write_scene(
    takes: Sequence[Take],
    path: str | os.PathLike[str],
    *,
    head: str | os.PathLike[str] | HeadModel = "open",
    progress: Progress = silent,
) -> Path:
    """Write all takes into one new file; what was open before is thrown away.

    Raises:
        SmirkError: a take does not fit the head, or the file cannot be written.
    """
    # Factory settings: a person's own start-up file, with its cube or worse, must not get into the result.
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    for take in takes:
        made = api.add_take(take, head=head, progress=progress)
        if made.warning:
            warnings.warn(made.warning, stacklevel=2)
    return api.save(path)
