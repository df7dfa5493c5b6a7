"""Synthesis with Yosys: what a design costs on FPGAs and in gates."""

from hw_flow.synth.job import SynthJob, SynthResult
from hw_flow.synth.process import ToolCancelledError
from hw_flow.synth.resources import TARGETS, Resources, Target, total
from hw_flow.synth.run import cached, run, yosys_version

__all__ = [
    "TARGETS", "Resources", "SynthJob", "SynthResult", "Target", "ToolCancelledError", "cached", "run", "total", "yosys_version",
]
