"""QONNX files to integer dataflow graphs, and the proof that both compute the same."""

from hw_flow.frontend.compare import Comparison, compare
from hw_flow.frontend.program import HostOp, Program, compile_qonnx

__all__ = ["Comparison", "HostOp", "Program", "compare", "compile_qonnx"]
