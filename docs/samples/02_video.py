# SPDX-License-Identifier: GPL-3.0-or-later
"""A video becomes an animated head, with the footage behind it and its sound on the timeline.

blender -b --python docs/samples/02_video.py -- clip.mp4 clip.blend
python docs/samples/02_video.py clip.mp4 clip.blend
"""

import sys

try:
    from blender_smirk import api
except ImportError:  # in a Blender that has the extension
    from bl_ext.user_default.smirk import api

video, result = sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv else sys.argv[1:]


def progress(stage: str, done: int, total: int | None) -> None:
    """Tell how far it is; raise ``smirk_core.errors.Cancelled`` in here to stop."""
    sys.stdout.write(f"\r{stage}: {done}" + (f" of {total}" if total else "") + "    ")
    sys.stdout.flush()


head = api.animate(video, frame_start=1, progress=progress)

# The take is in the .blend, too; as a file it can be used for another head later.
api.save_take(head.action, result.removesuffix(".blend") + ".take.npz")
api.save(result)
