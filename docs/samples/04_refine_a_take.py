# SPDX-License-Identifier: GPL-3.0-or-later
"""A take is calmed, strengthened and thinned out, as often as you like: the raw take stays inside.

blender -b --python docs/samples/04_refine_a_take.py -- clip.take.npz clip.blend
python docs/samples/04_refine_a_take.py clip.take.npz clip.blend
"""

import sys

try:
    from blender_smirk import api
except ImportError:  # in a Blender that has the extension
    from bl_ext.user_default.smirk import api

from smirk_core.refine.recipe import Recipe
from smirk_core.take import load_take

take, result = sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv else sys.argv[1:]

head = api.add_take(load_take(take))

# Smoothing by region, a stronger mouth, and a moment at which the face is at rest.
recipe = Recipe(
    smooth={"brows": 0.3, "eyes": 0.2, "mouth": 0.3, "jaw": 0.4, "head": 0.8},
    gain={"mouth": 1.2},
    neutral=float(head.take.times[0]),
)
# As few keys as keep every curve within a hundredth.
api.refine_take(head.action, recipe, keying=api.Keying("REDUCED", error=0.01))

# A second version beside it, mirrored, from the same raw take.
mirrored = api.duplicate_take(head.action)
api.refine_take(mirrored, Recipe(mirror=True))
api.save(result)
