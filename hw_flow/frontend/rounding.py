"""Rounding as QONNX 1.0.0 names it, on float64 arrays and on rationals."""

from __future__ import annotations

from fractions import Fraction
from math import ceil, floor

import numpy as np

from hw_flow.ir.tensor import FloatArray

# Modes of QONNX 1.0.0, and the older names that it cannot execute but that files use.
ROUNDING = {
    "ROUND": "HALF_EVEN", "HALF_EVEN": "HALF_EVEN", "FLOOR": "FLOOR", "CEIL": "CEIL", "UP": "UP", "DOWN": "DOWN",
    "HALF_UP": "HALF_UP", "HALF_DOWN": "HALF_DOWN", "TRUNC": "DOWN", "ROUND_TO_ZERO": "DOWN",
}


def round_array(x: FloatArray, mode: str) -> FloatArray:
    """QONNX rounding of exact float64 values, without the double rounding of ``x + 0.5``."""
    match mode:
        case "HALF_EVEN":
            return np.rint(x)
        case "FLOOR":
            return np.floor(x)
        case "CEIL":
            return np.ceil(x)
        case "DOWN":
            return np.trunc(x)
    whole = np.floor(np.abs(x))
    rest = np.abs(x) - whole
    more = rest > 0 if mode == "UP" else rest >= 0.5 if mode == "HALF_UP" else rest > 0.5
    away: FloatArray = np.sign(x) * (whole + more)
    return away


def round_exact(x: Fraction, mode: str) -> int:
    """QONNX rounding of a rational."""
    match mode:
        case "HALF_EVEN":
            return round(x)
        case "FLOOR":
            return floor(x)
        case "CEIL":
            return ceil(x)
    whole, rest = divmod(abs(x), 1)
    if mode == "UP":
        whole += rest > 0
    elif mode == "HALF_UP":
        whole += rest >= Fraction(1, 2)
    elif mode == "HALF_DOWN":
        whole += rest > Fraction(1, 2)
    return int(whole) if x >= 0 else -int(whole)
