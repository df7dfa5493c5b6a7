"""Parsers of the reports that other tools write: HLS compilers, Vivado, FINN, oneAPI, Yosys, nextpnr, OpenROAD."""

from hw_flow.synth.parsers.registry import FORMATS, Format, detect, parse
from hw_flow.synth.parsers.values import STAGES, UNITS, Part, Stage, ToolReport, figures

__all__ = ["FORMATS", "STAGES", "UNITS", "Format", "Part", "Stage", "ToolReport", "detect", "figures", "parse"]
