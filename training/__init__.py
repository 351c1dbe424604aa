# SPDX-License-Identifier: Apache-2.0
"""How the bundled models are made: data, landmark embedding, detector model. Not needed to run the product."""
