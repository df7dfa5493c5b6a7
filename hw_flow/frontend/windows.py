"""Kernel, stride, padding and dilation of convolutions and pools, from ONNX attributes."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from hw_flow.errors import FlowError
from hw_flow.frontend.site import Site
from hw_flow.ir.spatial import SlidingWindow

Pair = tuple[int, int]


@dataclass(frozen=True)
class Window:
    """Where a kernel stands on a map of ``[H, W]``; a sequence has one row."""

    kernel: Pair
    stride: Pair
    dilation: Pair
    pads: tuple[int, int, int, int]

    @property
    def trivial(self) -> bool:
        """Whether it gathers exactly the map itself."""
        return self.kernel == self.stride == (1, 1) and not any(self.pads)

    def node(self, pad_value: int, depthwise: bool = False) -> SlidingWindow:
        """As a node without tensors, which knows shapes and values."""
        return SlidingWindow(name="window", inputs=("x",), outputs=("y",), kernel=self.kernel, stride=self.stride,
                             dilation=self.dilation, pads=self.pads, pad_value=pad_value, depthwise=depthwise)


def window_of(site: Site, axis: int, kernel: tuple[int, ...]) -> Window:
    """The window of a Conv or pool ``site`` whose channels are on ``axis`` of the frame.

    Raises
    ------
    FlowError : an attribute has the wrong length or sign, or contradicts the shapes.
    """
    space = [size for index, size in enumerate(site.frame) if index != axis % len(site.frame)]
    rank = len(space)
    if rank not in (1, 2):
        raise FlowError(f"{site.where}: slides over frames of {list(site.frame)}; only 1-D and 2-D maps can be compiled")
    kernel = kernel[-rank:]
    given = site.attribute("kernel_shape", list(kernel))
    strides, dilations = (site.attribute(name, [1] * rank) for name in ("strides", "dilations"))
    for name, sizes in (("kernel_shape", given), ("strides", strides), ("dilations", dilations)):
        if len(sizes) != rank or min(sizes) < 1:
            raise FlowError(f"{site.where}: attribute {name} is {list(sizes)} for {rank}-D maps; check the export")
    if tuple(given) != tuple(kernel):
        raise FlowError(f"{site.where}: attribute kernel_shape is {list(given)}, its weights have {list(kernel)}; check the "
                        "export")
    spans = [(size - 1) * step + 1 for size, step in zip(kernel, dilations, strict=True)]
    begin, end = _pads(site, space, spans, strides)
    if site.attribute("ceil_mode", 0):
        end = [_reach(*sizes) for sizes in zip(space, begin, end, spans, strides, strict=True)]
    if rank == 1:
        return Window((1, kernel[0]), (1, strides[0]), (1, dilations[0]), (0, begin[0], 0, end[0]))
    return Window((kernel[0], kernel[1]), (strides[0], strides[1]), (dilations[0], dilations[1]), (*begin, *end))  # type: ignore[arg-type]  # two each


def _pads(site: Site, space: list[int], spans: list[int], strides: list[int]) -> tuple[list[int], list[int]]:
    mode = str(site.attribute("auto_pad", "NOTSET"))
    rank = len(space)
    if mode in ("SAME_UPPER", "SAME_LOWER"):
        total = [max(0, (ceil(size / step) - 1) * step + span - size)
                 for size, span, step in zip(space, spans, strides, strict=True)]
        less, more = [size // 2 for size in total], [size - size // 2 for size in total]
        return (less, more) if mode == "SAME_UPPER" else (more, less)
    if mode == "VALID":
        return [0] * rank, [0] * rank
    if mode != "NOTSET":
        raise FlowError(f"{site.where}: attribute auto_pad is '{mode}'; use NOTSET, VALID, SAME_UPPER or SAME_LOWER")
    pads = list(site.attribute("pads", [0] * 2 * rank))
    if len(pads) != 2 * rank or min(pads) < 0:
        raise FlowError(f"{site.where}: attribute pads is {pads}; give {2 * rank} numbers of at least 0")
    return pads[:rank], pads[rank:]


def _reach(size: int, begin: int, end: int, span: int, step: int) -> int:
    """End padding with which rounding down gives as many positions as ONNX's rounding up."""
    count = ceil((size + begin + end - span) / step) + 1
    if (count - 1) * step >= size + begin:  # a window that starts in the padding at the end is dropped
        count -= 1
    return max(0, (count - 1) * step + span - size - begin)
