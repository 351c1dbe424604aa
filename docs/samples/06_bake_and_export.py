# SPDX-License-Identifier: GPL-3.0-or-later
"""A take, a key on every frame, goes to a game engine: glTF or FBX, and a table of ARKit curves beside it.

blender -b --python docs/samples/06_bake_and_export.py -- clip.take.npz clip.glb
python docs/samples/06_bake_and_export.py clip.take.npz clip.glb
"""

import sys

try:
    from blender_smirk import api
except ImportError:  # in a Blender that has the extension
    from bl_ext.user_default.smirk import api

from smirk_core.take import load_take

take, result = sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv else sys.argv[1:]

head = api.add_take(load_take(take))

# Engines want a key on every frame of the scene; "TRACKED" puts one where the footage has a frame.
api.refine_take(head.action, head.take.info.filters, keying=api.Keying("EVERY"))

# Only this head, with its bones, named morph targets and one animation; .fbx and .usd work alike.
api.save(result, heads=[api.HeadObjects.of(head.mesh)])
api.save_csv(head.action, result.rpartition(".")[0] + ".csv")
