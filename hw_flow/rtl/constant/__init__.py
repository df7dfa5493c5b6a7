"""Nodes whose weights and thresholds are constants: shared sums, carry chains with tables in front, pipeline registers."""

from hw_flow.rtl.constant.build import build, unit_logic
from hw_flow.rtl.constant.logic import Logic

__all__ = ["Logic", "build", "unit_logic"]
