# SPDX-License-Identifier: GPL-3.0-or-later
"""What a developer needs to know of a failure, as one text to copy."""

from __future__ import annotations

import platform

import bpy

from smirk_core import __version__

from .capture_queue import QUEUE
from .operators.base import last_failure
from .texts import capture as words

__all__ = ["report_text"]


def report_text() -> str:
    """Versions, the messages shown, the last worker's job and words, and the last traceback."""
    session = QUEUE.current.report() if QUEUE.current is not None else QUEUE.report
    parts = [
        f"SMIRK {__version__}, Blender {bpy.app.version_string}, Python {platform.python_version()}, "
        f"{platform.platform()}",
        QUEUE.message(),
        session,
        last_failure(),
    ]
    return "\n\n".join(filter(None, parts)) if any(parts[1:]) else f"{parts[0]}\n\n{words.POLL_REPORT}"
