# SPDX-License-Identifier: GPL-3.0-or-later
"""A take moves a character of your own: shape keys by their names, head, jaw and eyes by their bones.

blender -b --python docs/samples/07_character.py -- hero.glb clip.take.npz hero.blend
python docs/samples/07_character.py hero.glb clip.take.npz hero.blend
"""

import sys
from dataclasses import replace

import bpy

try:
    from blender_smirk import api
except ImportError:  # in a Blender that has the extension
    from bl_ext.user_default.smirk import api

from smirk_core.retarget.mapping import KeyMap, match_keys
from smirk_core.take import load_take

character, take, result = sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv else sys.argv[1:]

IMPORTERS = {"glb": bpy.ops.import_scene.gltf, "gltf": bpy.ops.import_scene.gltf, "fbx": bpy.ops.import_scene.fbx}
bpy.ops.wm.read_homefile(use_empty=True)
IMPORTERS[character.rpartition(".")[2].lower()](filepath=character)
meshes = [o for o in bpy.data.objects if o.type == "MESH" and o.data.shape_keys is not None]
face = max(meshes, key=lambda mesh: match_keys(api.key_names(mesh)).found)

# The table is data: look at it, change gains, save it for the next character of this kind.
match = match_keys(api.key_names(face))
sys.stdout.write(f"{match.found} of 52 channels; without a key: {', '.join(match.missing) or 'none'}\n")
stronger = [replace(link, gain=1.3) if "Smile" in link.source else link for link in match.keys.links]

performance = load_take(take)
bpy.context.scene.render.fps = round(performance.info.rate) or 24
report = api.apply_to_character([face, *(m for m in meshes if m != face)], performance, keys=KeyMap(tuple(stronger)))
sys.stdout.write(f"{len(report.moved)} keys and {len(report.bones)} bones move\n")
bpy.context.scene.frame_end = round(report.action.frame_range[1])
api.save(result)
