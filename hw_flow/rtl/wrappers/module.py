"""Generated modules, and the text that all of them share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import singledispatch

from qonnx.core.datatype import DataType

from hw_flow.errors import FlowError
from hw_flow.folding import NodeFolding
from hw_flow.ir import Graph, Node, Tensor


@dataclass(frozen=True)
class Module:
    """A generated module.

    Attributes
    ----------
    name : of the module.
    kind : see `Instance`.
    kernel : kernel that it instantiates.
    texts : file name -> content, the module itself and its memories.
    level_bits : width of a FIFO's ``level_o``, 0 for other kinds.
    helpers : further kernels that it instantiates.
    """

    name: str
    kind: str
    kernel: str
    texts: Mapping[str, str]
    level_bits: int = 0
    helpers: tuple[str, ...] = ()

    @property
    def files(self) -> tuple[str, ...]:
        """Names of ``texts``, memories first."""
        return tuple(reversed(tuple(self.texts)))


@singledispatch
def node_module(node: Node, graph: Graph, folding: NodeFolding, module: str, cut: bool = True) -> Module:
    """The module of a graph node; ``cut`` asks for an output register that cuts ready, where the kernel has one."""
    kinds = sorted(kind.__name__ for kind in node_module.registry if kind is not object)
    raise FlowError(f"{node.name}: the rtl back end has no kernel for {type(node).__name__}; use"
                    f" {', '.join(kinds[:-1])} or {kinds[-1]}")


def wrapper(module: str, what: str, in_widths: int | Sequence[int], out_widths: int | Sequence[int], body: Sequence[str],
            *more: str) -> str:
    """Text of a module with the given bits per beat of its streams, and ``more`` ports behind them."""
    ports = ["  input  logic clk_i", "  input  logic rst_ni"]
    for name, width in streams("s", in_widths):
        ports += [f"  input  logic {name}_valid_i", f"  output logic {name}_ready_o",
                  f"  input  logic [{width - 1}:0] {name}_data_i"]
    for name, width in streams("m", out_widths):
        ports += [f"  output logic {name}_valid_o", f"  input  logic {name}_ready_i",
                  f"  output logic [{width - 1}:0] {name}_data_o"]
    return "\n".join([
        "// SPDX-License-Identifier: Apache-2.0", "// Generated; do not edit.", "", f"/// {comment(what)}.",
        f"module {module} (", ",\n".join([*ports, *more]), ");", "", *body, "", "endmodule", "",
    ])


def streams(prefix: str, widths: int | Sequence[int]) -> list[tuple[str, int]]:
    """Name and width of each stream on one side of a module: ``s`` if there is one, else ``s0``, ``s1``, ..."""
    several = [widths] if isinstance(widths, int) else list(widths)
    return [(stream_name(prefix, index, len(several)), width) for index, width in enumerate(several)]


def stream_name(prefix: str, index: int, count: int) -> str:
    """Prefix of the ports of stream ``index`` of ``count``."""
    return prefix if count == 1 else f"{prefix}{index}"


def instance(kernel: str, parameters: Mapping[str, object], ports: Mapping[str, str | None] | None = None,
             name: str = "u_kernel") -> list[str]:
    """Lines that instantiate ``kernel`` between the wrapper's only input and output; ``ports`` override, add, or (None) drop."""
    wires: dict[str, str | None] = {
        "clk_i": "clk_i", "rst_ni": "rst_ni", "valid_i": "s_valid_i", "ready_o": "s_ready_o", "data_i": "s_data_i",
        "valid_o": "m_valid_o", "ready_i": "m_ready_i", "data_o": "m_data_o", **(ports or {}),
    }
    return [
        f"  {kernel} #(",
        ",\n".join(f"    .{key}({value})" for key, value in parameters.items()),
        f"  ) {name} (",
        ",\n".join(f"    .{key}({value})" for key, value in wires.items() if value is not None),
        "  );",
    ]


def number_kind(tensor: Tensor) -> str:
    """Name in ``bw_pkg::num_e`` of a tensor's encoding."""
    if tensor.dtype == "BIPOLAR":
        return "Bipolar"
    return "Signed" if tensor.signed else "Unsigned"


def weight_kind(dtype: str) -> str:
    """Name in ``bw_pkg::num_e`` of a weight type."""
    if dtype in ("BIPOLAR", "TERNARY"):
        return dtype.capitalize()
    return "Signed" if DataType[dtype].signed() else "Unsigned"


def comment(text: str) -> str:
    """``text`` on one line."""
    return " ".join(text.split())
