"""Windows over feature maps."""

from __future__ import annotations

from dataclasses import dataclass

from hw_flow.errors import FlowError
from hw_flow.folding import NodeFolding
from hw_flow.ir import Graph, SlidingWindow, Tensor
from hw_flow.rtl.choose import buffer_depth, buffer_style
from hw_flow.rtl.memory import literal
from hw_flow.rtl.window import Geometry
from hw_flow.rtl.wrappers.module import Module, instance, node_module, wrapper

Parameters = dict[str, object]

SERIAL, PARALLEL = "bw_sliding_window", "bw_parallel_window"


@node_module.register
def sliding_window_module(node: SlidingWindow, graph: Graph, folding: NodeFolding, module: str, cut: bool = True) -> Module:
    """A window over a feature map; only that with all taps in a beat has a register that cuts ready, at its input."""
    source, out, simd = graph.input_of(node), graph.output_of(node), folding.simd
    window = _Window(node, source, out, folding, Geometry.of(node, source.shape, simd))
    what = f"{node.name}: windows of {node.kernel[0]} x {node.kernel[1]} over {list(source.shape)} {source.dtype}, SIMD {simd}"
    if not folding.parallel_window:
        text = wrapper(module, what, source.width * simd, out.width * simd, window.serial())
        return Module(module, "sliding_window", SERIAL, {f"{module}.sv": text})
    text = wrapper(module, what, source.width * simd, out.width * simd * node.taps, window.parallel(cut))
    helpers = (SERIAL,) if window.geometry.split()[0] else ()
    return Module(module, "sliding_window", PARALLEL, {f"{module}.sv": text}, helpers=helpers)


@dataclass(frozen=True)
class _Window:
    """A window and its streams."""

    node: SlidingWindow
    source: Tensor
    out: Tensor
    folding: NodeFolding
    geometry: Geometry

    @property
    def to_ternary(self) -> bool:
        """Whether bits come in and ternary values leave, which the kernels do themselves."""
        return self.source.dtype == "BIPOLAR" and self.out.dtype != "BIPOLAR"

    @property
    def stored(self) -> int:
        """Bits of an element that a kernel stores."""
        if not self.to_ternary:
            return self.out.width
        if self.node.pad_value != 0 or self.out.width != 2 or not self.out.signed:
            raise FlowError(f"{self.node.name}: pads BIPOLAR data with {self.node.pad_value} to {self.out.dtype}; pad it with -1"
                            " or 1, or with 0 to TERNARY")
        return 1

    def serial(self) -> list[str]:
        """Lines for one tap a beat; the buffer cuts ready already."""
        lines, data = self._widen()
        return [*lines, *instance(SERIAL, self._serial_parameters(self.geometry), {"data_i": data})]

    def parallel(self, cut: bool) -> list[str]:
        """Lines for all taps in a beat, behind a window of one tap where padding exceeds what the kernel spans."""
        lines, data = self._widen()
        ports: dict[str, str | None] = {"data_i": data}
        front, trimmed, numbers = self.geometry.split()
        stored, to_ternary = self.stored, self.to_ternary
        if front:
            ports = {"valid_i": "pad_valid", "ready_o": "pad_ready", "data_i": "pad_data"}
            lines += ["  logic pad_valid, pad_ready;", f"  logic [{self.folding.simd * self.out.width - 1}:0] pad_data;",
                      *instance(SERIAL, self._serial_parameters(front), {"data_i": data, "valid_o": "pad_valid",
                                "ready_i": "pad_ready", "data_o": "pad_data"}, "u_pad"), ""]
            stored, to_ternary = self.out.width, False
        width = self.folding.simd * stored
        line = (trimmed.dilation[0] * trimmed.size[1] - (trimmed.kernel[1] - 1) * trimmed.dilation[1]) * trimmed.groups
        style = buffer_style(self.folding, max(1, line), max(1, trimmed.kernel[0] - 1) * width)
        parameters = {**_geometry_parameters(trimmed), **self._beat_parameters(width, to_ternary), "RamStyle": f'"{style}"',
                      "InputRegister": f"1'b{int(cut)}"}
        beat = self.folding.simd * self.out.width
        shown = [f"tap[{number}]" if number >= 0 else self._pad_beat(beat, self.out.width) for number in numbers.tolist()]
        lines += [f"  logic [{trimmed.taps - 1}:0][{beat - 1}:0] tap;", "",
                  *instance(PARALLEL, parameters, {**ports, "data_o": "tap"}),
                  f"  assign m_data_o = {{{', '.join(reversed(shown))}}};"]
        if numbers.max() < 0:
            lines += ["  logic unused;", "  assign unused = &{1'b0, tap};"]
        return lines

    def _serial_parameters(self, geometry: Geometry) -> Parameters:
        width, depth = self.folding.simd * self.stored, geometry.depth()
        style = buffer_style(self.folding, depth, width)
        return {**_geometry_parameters(geometry), **self._beat_parameters(width, self.to_ternary),
                "Depthwise": f"1'b{int(geometry.depthwise)}", "Depth": buffer_depth(depth, style), "Lead": geometry.lead(),
                "RamStyle": f'"{style}"'}

    def _beat_parameters(self, width: int, to_ternary: bool) -> Parameters:
        return {"BeatWidth": width, "PadBeat": self._pad_beat(width, 0 if to_ternary else self.out.width),
                "ToTernary": f"1'b{int(to_ternary)}"}

    def _pad_beat(self, width: int, element: int) -> str:
        """The padding in every element of ``element`` bits; 0 if the kernel makes ternary padding."""
        if element == 0:
            return literal(0, width)
        value = self.node.pad_value
        value = (value + 1) // 2 if self.out.dtype == "BIPOLAR" else value & ((1 << element) - 1)
        return literal(sum(value << bit for bit in range(0, width, element)), width)

    def _widen(self) -> tuple[list[str], str]:
        """Lines and the wire for elements that leave in more bits than they come in, because padding needs them."""
        width, spare = self.source.width, self.stored - self.source.width
        if spare == 0:
            return [], "s_data_i"
        lines = [f"  logic [{self.folding.simd - 1}:0][{self.stored - 1}:0] wide;"]
        for low in range(0, self.folding.simd * width, width):
            top = f"s_data_i[{low + width - 1}]" if self.source.signed else "1'b0"
            lines.append(f"  assign wide[{low // width}] = {{{{{spare}{{{top}}}}}, s_data_i[{low}+:{width}]}};")
        return [*lines, ""], "wide"


def _geometry_parameters(geometry: Geometry) -> Parameters:
    pairs = {"Kernel": geometry.kernel, "Stride": geometry.stride, "Dilation": geometry.dilation}
    return {
        "Height": geometry.size[0], "Width": geometry.size[1], "Groups": geometry.groups,
        **{f"{name}{axis}": value for name, pair in pairs.items() for axis, value in zip(("Height", "Width"), pair, strict=True)},
        **{f"Pad{side}": pad for side, pad in zip(("Top", "Left", "Bottom", "Right"), geometry.pads, strict=True)},
    }
