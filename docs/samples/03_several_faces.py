# SPDX-License-Identifier: GPL-3.0-or-later
"""Every face of a photo or video becomes a head of its own; they share footage and camera.

blender -b --python docs/samples/03_several_faces.py -- group.mp4 group.blend
python docs/samples/03_several_faces.py group.mp4 group.blend
"""

import sys

try:
    from blender_smirk import api
except ImportError:  # in a Blender that has the extension
    from bl_ext.user_default.smirk import api

media, result = sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv else sys.argv[1:]

heads = api.animate_all(media, faces="all")  # or faces=2 for the two largest
for number, head in enumerate(heads, start=1):
    head.mesh.name = f"Person {number}"  # rename what you like: nothing is found by its name
    frames = len(head.take)
    sys.stdout.write(f"{head.mesh.name}: {frames} frame{'s' if frames > 1 else ''}\n")
api.save(result)
