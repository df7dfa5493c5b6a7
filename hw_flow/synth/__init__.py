"""Synthesis with Yosys: what a design costs on FPGAs and in gates."""

from hw_flow.synth.design import DesignResources, run_all, synthesise
from hw_flow.synth.job import SynthJob, SynthResult
from hw_flow.synth.resources import TARGETS, Resources, Target, total
from hw_flow.synth.runner import CancelledError, cached, run, yosys_version

__all__ = [
    "TARGETS", "CancelledError", "DesignResources", "Resources", "SynthJob", "SynthResult", "Target", "cached",
    "run", "run_all", "synthesise", "total", "yosys_version",
]
