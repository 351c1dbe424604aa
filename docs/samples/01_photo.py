# SPDX-License-Identifier: GPL-3.0-or-later
"""A photo becomes a posed head that smiles a little, saved as a .blend.

blender -b --python docs/samples/01_photo.py -- face.jpg face.blend
python docs/samples/01_photo.py face.jpg face.blend
"""

import sys

try:
    from blender_smirk import api
except ImportError:  # in a Blender that has the extension
    from bl_ext.user_default.smirk import api

photo, result = sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv else sys.argv[1:]

head = api.animate(photo)
objects = api.HeadObjects.of(head.mesh)

# Everything stays editable: an expression from the library, at a third of its strength, on top of the captured pose.
api.apply_preset(objects, "smile", strength=0.33, insert_keys=True)

# The skin of the photo, packed into the file, and eyes that look into the camera.
api.add_photo_texture(objects, head.action)
api.set_gaze(objects, head.cameras.perspective)

api.save(result)
