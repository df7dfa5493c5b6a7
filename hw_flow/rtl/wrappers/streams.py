"""FIFOs, width converters and forks."""

from __future__ import annotations

from hw_flow.ir import Tensor
from hw_flow.rtl.choose import fifo_style
from hw_flow.rtl.wrappers.module import Module, instance, wrapper


def fifo_module(module: str, tensor: Tensor, lanes: int, depth: int, *, gauge: bool = False) -> Module:
    """A FIFO of ``depth`` beats; ``level_o`` tells the monitor how full it is, ``limit_i`` of a gauge how full it may be."""
    width, level = tensor.width * lanes, depth.bit_length()
    parameters: dict[str, object] = {"Width": width, "Depth": depth, "Block": f"1'b{int(fifo_style(depth, width) == 'block')}"}
    text = wrapper(module, f"FIFO of {depth} beats of {lanes} x {tensor.dtype}", width, width,
                    instance("bw_fifo", parameters, {"level_o": "level_o"} | ({"limit_i": "limit_i"} if gauge else {})),
                    f"  input  logic [{level - 1}:0] limit_i,\n" * gauge + f"  output logic [{level - 1}:0] level_o")
    return Module(module, "fifo", "bw_fifo", {f"{module}.sv": text}, level_bits=level)


def dwc_module(module: str, tensor: Tensor, source: int, sink: int) -> Module:
    """A converter from ``source`` to ``sink`` lanes."""
    text = wrapper(module, f"{source} to {sink} lanes of {tensor.dtype}", tensor.width * source, tensor.width * sink,
                    instance("bw_dwc", {"ElementWidth": tensor.width, "InLanes": source, "OutLanes": sink}))
    return Module(module, "dwc", "bw_dwc", {f"{module}.sv": text})


def fork_module(module: str, tensor: Tensor, lanes: int, readers: int) -> Module:
    """Copies of one stream for ``readers``."""
    width = tensor.width * lanes

    def joined(port: str) -> str:
        return "{" + ", ".join(f"m{index}_{port}" for index in reversed(range(readers))) + "}"

    ports = {"valid_o": joined("valid_o"), "ready_i": joined("ready_i"), "data_o": joined("data_o")}
    text = wrapper(module, f"{readers} readers of {lanes} x {tensor.dtype}", width, [width] * readers,
                   instance("bw_fork", {"Width": width, "Readers": readers}, ports))
    return Module(module, "fork", "bw_fork", {f"{module}.sv": text})
