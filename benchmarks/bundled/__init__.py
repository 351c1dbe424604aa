# SPDX-License-Identifier: Apache-2.0
"""The yardstick of the encoder: people that nothing here learned from, with exact truth, and real faces and clips.

    python -m training.data.fit_portraits ../shared/faces/eval -o FITS.npz
    python -m benchmarks.bundled.held_out --fits FITS.npz -o FOLDER        # needs torch
    python -m benchmarks.bundled.table FOLDER --encoder FILE               # needs MediaPipe
    python -m benchmarks.bundled.page FOLDER                               # tables into docs/accuracy.md, pictures

The pictures drawn here stay in FOLDER: they are photographs of people.
"""
