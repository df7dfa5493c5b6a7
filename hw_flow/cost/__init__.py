"""Costs before synthesis: our analytic model, its calibration, and FINN's published formula beside it."""

from hw_flow.cost.features import edge_features, features
from hw_flow.cost.finn import FinnMvau, of_node
from hw_flow.cost.model import DEFAULT_COEFFICIENTS, Calibration, Estimate, calibrate, estimate, luts, samples
from hw_flow.cost.resources import Resources, edge_resources, node_resources, total

__all__ = [
    "DEFAULT_COEFFICIENTS", "Calibration", "Estimate", "FinnMvau", "Resources", "calibrate", "edge_features", "edge_resources",
    "estimate", "features", "luts", "node_resources", "of_node", "samples", "total",
]
