# SPDX-License-Identifier: Apache-2.0
"""The learned model of the landmark detector: data generation, training, evaluation."""
