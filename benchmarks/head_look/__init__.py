# SPDX-License-Identifier: Apache-2.0
"""Contact sheets of the head, rendered in Blender, and the figures of docs/head.md.

python -m benchmarks.head_look -o DIR [--sheet NAME ...]     # sheets; --help lists them
python -m benchmarks.head_look.figures [PART ...]            # docs/head.json and the tables of docs/head.md
"""
