"""Costs before synthesis: our analytic model, its calibration, and FINN's published formula beside it."""

from hw_flow.cost.finn import FinnMvau, of_node
from hw_flow.cost.model import (
    DEFAULT_COEFFICIENTS,
    Calibration,
    Estimate,
    calibrate,
    estimate,
    features,
    luts,
    samples,
)

__all__ = [
    "DEFAULT_COEFFICIENTS", "Calibration", "Estimate", "FinnMvau", "calibrate", "estimate", "features", "luts", "of_node",
    "samples",
]
