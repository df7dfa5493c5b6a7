"""What a node of FINN's becomes, and what several kinds share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from qonnx.core.datatype import DataType

from hw_flow.backends.finn.hardware import HardwareNode
from hw_flow.backends.finn.levels import IDENTITY, Levels
from hw_flow.errors import FlowError
from hw_flow.folding import NodeFolding
from hw_flow.folding.values import RamStyle, ResType
from hw_flow.ir import Node, Requantise
from hw_flow.ir.tensor import IntArray

if TYPE_CHECKING:
    from hw_flow.backends.finn.importer import Importer


@dataclass(frozen=True, eq=False)
class Made:
    """A node of ours for one of FINN's, and what is known of its output."""

    node: Node
    folding: NodeFolding
    finn: str
    dtype: str
    levels: Levels = IDENTITY


Maker = Callable[["Importer", HardwareNode], Iterator[Made]]


def folded(node: HardwareNode, pe: int, simd: int = 1, *, parallel: bool = False) -> NodeFolding:
    """A folding with FINN's memories and multipliers."""
    style, kind = str(node.attributes.get("ram_style", "auto")), str(node.attributes.get("resType", "auto"))
    ram: RamStyle = "block" if style in ("block", "ultra") else "distributed" if style == "distributed" else "auto"
    res: ResType = "lut" if kind == "lut" else "dsp" if kind == "dsp" else "auto"
    return NodeFolding(pe, simd, ram_style=ram, res_type=res, parallel_window=parallel)


def wide_enough(node: HardwareNode, dtype: str, low: int, high: int) -> str:
    kind = DataType[dtype]
    if kind.min() > low or kind.max() < high:
        raise FlowError(f"{node.name}: FINN's {dtype} does not hold its sums from {low} to {high}; report this to FINN")
    return dtype


def scaled(importer: Importer, node: HardwareNode, source: str, factor: IntArray | int, addend: IntArray, *, shift: int = 0,
            limits: tuple[int, int]) -> Made:
    """A multiply-add-shift of ours in front of FINN's output."""
    made = Requantise(
        name=importer.named("Requantise"), inputs=(source,), outputs=(node.outputs[0],), source=(node.name,),
        multiplier=np.atleast_1d(np.asarray(factor, dtype=np.int64)), addend=addend, shift=shift, low=limits[0], high=limits[1])
    dtype = str(importer.hardware.dtypes[node.outputs[0]])
    return Made(made, NodeFolding(max(1, node.number("PE", 1))), node.outputs[0], wide_enough(node, dtype, *limits))
