# SPDX-License-Identifier: GPL-3.0-or-later
"""Words of the panel *Files*. Pairs are label and tooltip."""

from __future__ import annotations

PANEL = "Files"
EXPORT_HEAD = ("Export Head", "Write the head with its animation to a file for other programs")
FORMAT = ("Format", "Kind of file")
FORMATS = (
    (".glb", "glTF (.glb)", "For game engines and the web: bones, morph targets and one animation"),
    (".fbx", "FBX (.fbx)", "For Unity, Unreal and Maya: bones, blend shapes and one animation"),
    (".usd", "USD (.usd)", "Universal Scene Description: skeleton, blend shapes and animation"),
)
ONLY_THIS = ("Only This Head", "Write the chosen head alone; else every head of the scene")
EXPORT_TAKE = ("Export Take", "Write the take, raw and filtered, to a file that the add-on and the command line read")
EXPORT_CSV = ("Export Live Link Face CSV", "Write the take as a table of ARKit channels, as Epic's Live Link Face does")
RAW = ("Raw", "The curves as solved, without filters")
NO_HEAD = "There is no head in the scene"
NO_TAKE = "The head plays no take"
WRITTEN = "Written: {path}"
