# SPDX-License-Identifier: Apache-2.0
"""The skin of photos as a texture: every texel looks where its point of the head lies in the pictures."""

from .blend import PhotoTexture, TextureOptions, blend_photos, blend_photos_steps, project_photo
from .frames import choose_rows, take_view, take_views, take_views_steps
from .skin_prior import SkinPrior, flat_prior, skin_prior
from .surface import SkinSurface, skin_surface
from .view import PhotoView, look

__all__ = [
    "PhotoTexture",
    "PhotoView",
    "SkinPrior",
    "SkinSurface",
    "TextureOptions",
    "blend_photos",
    "blend_photos_steps",
    "choose_rows",
    "flat_prior",
    "look",
    "project_photo",
    "skin_prior",
    "skin_surface",
    "take_view",
    "take_views",
    "take_views_steps",
]
