"""PE and SIMD of every node: by hand (FINN's JSON), for a target of cycles, or fully unfolded."""

from hw_flow.folding.check import check, coupled
from hw_flow.folding.choose import complete, default, parallel_bits, unfolded, weight_bits
from hw_flow.folding.explain import bottleneck, describe
from hw_flow.folding.finn import from_mapping, our_name, read, write
from hw_flow.folding.pipeline import levels_at, pipelined
from hw_flow.folding.rules import (
    Limit,
    input_lanes,
    interval_cycles,
    node_cycles,
    options,
    output_lanes,
    parallel_limits,
    unfolded_fully,
    vectors,
)
from hw_flow.folding.solve import checked_target, cycles_at, for_budget, for_cycles, for_latency, for_rate
from hw_flow.folding.space import Budget
from hw_flow.folding.values import PRICES, Folding, FoldingPlan, NodeFolding, divisors

__all__ = [
    "PRICES", "Budget", "Folding", "FoldingPlan", "Limit", "NodeFolding", "bottleneck", "check", "checked_target", "complete",
    "coupled", "cycles_at", "default", "describe", "divisors", "for_budget", "for_cycles", "for_latency", "for_rate",
    "from_mapping", "input_lanes", "interval_cycles", "levels_at", "node_cycles", "options", "our_name", "output_lanes",
    "parallel_bits", "parallel_limits", "pipelined", "read", "unfolded", "unfolded_fully", "vectors", "weight_bits", "write",
]
