"""The co-design loop: bit widths chosen by measured accuracy, LUTs and cycles."""

from hw_flow.codesign.loop import Evaluator, resume, run
from hw_flow.codesign.problem import Problem, load

__all__ = ["Evaluator", "Problem", "load", "resume", "run"]
