"""What a folding is: how far each node is folded in time, and the plan for a graph."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

RamStyle = Literal["auto", "distributed", "block"]
ResType = Literal["auto", "lut", "dsp"]
Style = Literal["auto", "memory", "constant"]


@dataclass(frozen=True)
class NodeFolding:
    """How far one node is folded in time.

    Attributes
    ----------
    pe : output elements computed side by side (input elements for a LabelSelect); 1 for a SlidingWindow.
    simd : input elements of each of them side by side (MVAU, VVAU, Pool); channels a beat of a SlidingWindow.
    ram_style : where weights or line buffers live.
    res_type : what multiplies.
    parallel_window : a SlidingWindow writes all taps in one beat.
    style : weights and thresholds in a memory, or as constant logic: of an MVAU with PE = MH and SIMD = MW, of a Thresholding
        with PE = channels.
    pipeline_levels : of constant logic: levels of logic between registers; 0 for the default.
    pipeline_stages : of constant logic: at most so many registers from input to output instead; 0 for no such wish.
    """

    pe: int
    simd: int = 1
    ram_style: RamStyle = "auto"
    res_type: ResType = "auto"
    parallel_window: bool = False
    style: Style = "auto"
    pipeline_levels: int = 0
    pipeline_stages: int = 0


# What a LUT, a block RAM of 18 kbit and a DSP block are worth in LUTs; devices have 100 to 200 LUTs for each of the others.
PRICES = (1.0, 64.0, 45.0)

Folding = Mapping[str, NodeFolding]


@dataclass(frozen=True)
class FoldingPlan(Mapping[str, NodeFolding]):
    """A folding for every node of a graph, and what was decided on the user's behalf.

    Attributes
    ----------
    nodes : folding by node name.
    notes : one sentence per automatic choice or ignored entry.
    target_cycles : interval that the choice aimed at, or None where it was given by hand.
    """

    nodes: Mapping[str, NodeFolding]
    notes: tuple[str, ...] = field(default=())
    target_cycles: int | None = None

    def __getitem__(self, name: str) -> NodeFolding:
        return self.nodes[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.nodes)

    def __len__(self) -> int:
        return len(self.nodes)


def divisors(number: int) -> list[int]:
    """All divisors in ascending order."""
    small = [d for d in range(1, int(number**0.5) + 1) if number % d == 0]
    return small + [number // d for d in reversed(small) if d * d != number]
