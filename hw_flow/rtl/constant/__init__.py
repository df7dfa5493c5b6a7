"""Matrices whose weights and thresholds are constants: shared sums, carry chains with tables in front, pipeline registers."""

from hw_flow.rtl.constant.build import Logic, build, unit_logic

__all__ = ["Logic", "build", "unit_logic"]
