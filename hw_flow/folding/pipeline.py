"""Registers inside constant logic: as many as a clock needs, or as the user says."""

from __future__ import annotations

from dataclasses import replace

from hw_flow.errors import FlowError
from hw_flow.folding.rules import unfolded_fully
from hw_flow.folding.values import FoldingPlan
from hw_flow.ir import Graph

# Logic delay by Yosys' timing of xc7, of three matrices at 1 to 8 levels: 1.2 ns and 0.65 ns a level. Wires take as long again.
_BASE_NS, _LEVEL_NS, _WIRES = 1.2, 0.65, 2.0


def levels_at(clock_mhz: float) -> int:
    """Levels of logic between registers for ``clock_mhz`` on a device of the Xilinx 7 series, at least 1; source ``model``.

    Raises
    ------
    FlowError : the clock is no positive number.
    """
    if not clock_mhz > 0:
        raise FlowError(f"clock of {clock_mhz:g} MHz; give a positive number")
    return max(1, int((1000 / clock_mhz / _WIRES - _BASE_NS) / _LEVEL_NS))


def pipelined(graph: Graph, plan: FoldingPlan, levels: int) -> FoldingPlan:
    """``plan`` with registers behind every ``levels`` levels of constant logic, but where a node has a wish of its own.

    Raises
    ------
    FlowError : less than one level.
    """
    if levels < 1:
        raise FlowError(f"{levels} levels of logic between registers; give at least 1")
    nodes = dict(plan)
    for node in graph:
        own = plan[node.name]
        if unfolded_fully(node, own, graph) and own.style != "memory" and not own.pipeline_levels and not own.pipeline_stages:
            nodes[node.name] = replace(own, pipeline_levels=levels)
    return replace(plan, nodes=nodes)
