"""PE and SIMD of every node: by hand (FINN's JSON), for a target of cycles, or fully unfolded."""

from hw_flow.folding.choose import complete, default, describe, for_cycles, parallel_bits, unfolded, weight_bits
from hw_flow.folding.finn import from_mapping, our_name, read, write
from hw_flow.folding.values import (
    Folding,
    FoldingPlan,
    NodeFolding,
    check,
    divisors,
    input_lanes,
    interval_cycles,
    node_cycles,
    output_lanes,
    vectors,
)

__all__ = [
    "Folding", "FoldingPlan", "NodeFolding", "check", "complete", "default", "describe", "divisors", "for_cycles",
    "from_mapping", "input_lanes", "interval_cycles", "node_cycles", "our_name", "output_lanes", "parallel_bits", "read",
    "unfolded", "vectors", "weight_bits", "write",
]
