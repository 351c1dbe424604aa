# SPDX-License-Identifier: Apache-2.0
"""The neural renderer: a U-Net that turns a grey render of the mesh and a few pixels of the photo into the photo.

Names and shapes are those of the official checkpoint (prefix ``smirk_generator.``), so its weights load strictly.
Source: SMIRK (Retsinas et al. 2024), section 3.2; specification section 6.
"""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor, nn

__all__ = ["Generator"]


def _block(name: str, inside: int, outside: int) -> nn.Sequential:
    """Twice: 3x3 convolution without bias, batch norm, ReLU; the modules are called after ``name``."""
    parts: OrderedDict[str, nn.Module] = OrderedDict()
    for number, width in ((1, inside), (2, outside)):
        parts[f"{name}conv{number}"] = nn.Conv2d(width, outside, 3, padding=1, bias=False)
        parts[f"{name}norm{number}"] = nn.BatchNorm2d(outside)
        parts[f"{name}relu{number}"] = nn.ReLU(inplace=True)
    return nn.Sequential(parts)


class _Residual(nn.Module):
    """x + two reflected 3x3 convolutions; no activation after the sum."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv_block = nn.Sequential(
            nn.ReflectionPad2d(1),
            nn.Conv2d(width, width, 3, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
            nn.ReflectionPad2d(1),
            nn.Conv2d(width, width, 3, bias=False),
            nn.BatchNorm2d(width),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv_block(x)


class Generator(nn.Module):
    """Render and masked photo to photo.

    Args:
        in_channels: 6, the render's three before the masked photo's three.
        out_channels: 3.
        width: channels of the first stage; the official one has 32, a narrow one trains on a CPU.
        residual_blocks: at the coarsest of the five scales; the official one has 5.
    """

    def __init__(self, in_channels: int = 6, out_channels: int = 3, width: int = 32, residual_blocks: int = 5) -> None:
        super().__init__()
        sizes = [width * 2**k for k in range(5)]
        self.encoder1 = _block("enc1", in_channels, sizes[0])
        self.encoder2 = _block("enc2", sizes[0], sizes[1])
        self.encoder3 = _block("enc3", sizes[1], sizes[2])
        self.encoder4 = _block("enc4", sizes[2], sizes[3])
        self.bottleneck = _block("bottleneck", sizes[3], sizes[4])
        self.resnet_blocks = nn.Sequential(*(_Residual(sizes[4]) for _ in range(residual_blocks)))
        self.upconv4 = nn.ConvTranspose2d(sizes[4], sizes[3], 2, stride=2)
        self.decoder4 = _block("dec4", 2 * sizes[3], sizes[3])
        self.upconv3 = nn.ConvTranspose2d(sizes[3], sizes[2], 2, stride=2)
        self.decoder3 = _block("dec3", 2 * sizes[2], sizes[2])
        self.upconv2 = nn.ConvTranspose2d(sizes[2], sizes[1], 2, stride=2)
        self.decoder2 = _block("dec2", 2 * sizes[1], sizes[1])
        self.upconv1 = nn.ConvTranspose2d(sizes[1], sizes[0], 2, stride=2)
        self.decoder1 = _block("dec1", 2 * sizes[0], sizes[0])
        self.conv = nn.Conv2d(sizes[0], out_channels, 1)

    def forward(self, render: Tensor, masked: Tensor) -> Tensor:
        """(B, 3, H, W) render and (B, 3, H, W) masked photo, both in [0, 1], to a (B, 3, H, W) photo in (0, 1).

        Raises:
            ValueError: height or width is no multiple of 16 or below 32 (the reflected border needs two pixels).
        """
        height, width = render.shape[-2:]
        if height % 16 or width % 16 or min(height, width) < 32:
            raise ValueError(f"pictures of {width} x {height}: both sides must be multiples of 16, from 32 on")
        e1 = self.encoder1(torch.cat([render, masked], dim=1))
        e2 = self.encoder2(nn.functional.max_pool2d(e1, 2))
        e3 = self.encoder3(nn.functional.max_pool2d(e2, 2))
        e4 = self.encoder4(nn.functional.max_pool2d(e3, 2))
        deep = self.resnet_blocks(self.bottleneck(nn.functional.max_pool2d(e4, 2)))
        x = self.decoder4(torch.cat([self.upconv4(deep), e4], dim=1))
        x = self.decoder3(torch.cat([self.upconv3(x), e3], dim=1))
        x = self.decoder2(torch.cat([self.upconv2(x), e2], dim=1))
        x = self.decoder1(torch.cat([self.upconv1(x), e1], dim=1))
        return torch.sigmoid(self.conv(x))
