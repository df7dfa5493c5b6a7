"""The cost model as a loss for training: our coefficients in the formula that `quant_training` differentiates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from hw_flow.cost.model import DEFAULT_COEFFICIENTS

if TYPE_CHECKING:
    from quant_training.hardware_loss import CycleCost, LutCost


def lut_cost(target_cycles: int, coefficients: Mapping[str, float] = DEFAULT_COEFFICIENTS) -> LutCost:
    """LUTs of a network's layers at ``target_cycles`` a frame, for `quant_training.hardware_loss.HardwareLoss`.

    Parameters
    ----------
    coefficients : LUTs per unit of each feature: the defaults, or those of a `Calibration`.
    """
    from quant_training.hardware_loss import LutCost

    return LutCost(target_cycles, _named(coefficients))


def cycle_cost(luts: float, coefficients: Mapping[str, float] = DEFAULT_COEFFICIENTS) -> CycleCost:
    """Cycles a frame with ``luts`` to share out, likewise."""
    from quant_training.hardware_loss import CycleCost

    return CycleCost(luts, _named(coefficients))


def _named(coefficients: Mapping[str, float]) -> dict[str, float]:
    """With the control of a matrix unit under the name that training knows."""
    return {**coefficients, "node": coefficients["control.MVAU"]}
