"""A compiled network: the integer graph, and what the host does around it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from qonnx.core.datatype import DataType
from qonnx.core.modelwrapper import ModelWrapper

from hw_flow.errors import FlowError
from hw_flow.frontend.clean import clean
from hw_flow.frontend.load import read_model
from hw_flow.frontend.lower import lower
from hw_flow.frontend.numeric import Const
from hw_flow.frontend.plan import Planner
from hw_flow.frontend.reference import Reference
from hw_flow.frontend.regions import Integers, Plan, Region, counting
from hw_flow.ir import Graph, load_graph, save_graph
from hw_flow.ir.tensor import IntArray
from hw_flow.storage import write_bytes, write_json

_INPUT_TYPE = re.compile(r"BIPOLAR|TERNARY|BINARY|U?INT([1-9]|1[0-6])")

# Integers of a batch that the golden model holds: all tensors of all frames.
_ELEMENTS = 1 << 26


@dataclass(frozen=True)
class HostOp:
    """An ONNX node that the host computes, and why."""

    name: str
    op_type: str
    reason: str


@dataclass(frozen=True, eq=False)
class Program:
    """What `compile_qonnx` makes of a QONNX file.

    Attributes
    ----------
    graph : what the accelerator computes.
    model : the cleaned QONNX model, at batch size 1.
    host_pre, host_post : nodes that the host computes before and after.
    regions : per node of the graph, the ONNX nodes and exact functions behind it.
    notes : remarks that a user should see.
    input_type, input_scale : how the input was declared, if it was.
    """

    graph: Graph
    model: ModelWrapper
    host_pre: tuple[HostOp, ...]
    host_post: tuple[HostOp, ...]
    regions: tuple[Region, ...]
    notes: tuple[str, ...]
    plan: Plan
    reference: Reference
    input_type: str | None = None
    input_scale: Fraction | None = None

    @cached_property
    def input_frame(self) -> tuple[int, ...]:
        """Shape of one frame of the ONNX input, without the batch."""
        return tuple(self.model.get_tensor_shape(self.reference.source)[1:])

    @property
    def input_span(self) -> tuple[float, float, float] | None:
        """Lowest and highest value and smallest step of a float input; None where the input is integer."""
        if self.plan.entry is None:
            return None
        tensor = self.graph.tensors[self.graph.inputs[0]]
        corners = [bound * tensor.scale + tensor.offset for bound in tensor.limits]
        return float(np.min(corners)), float(np.max(corners)), float(np.min(np.abs(tensor.scale)))

    @cached_property
    def batch(self) -> int:
        """Frames that golden model and QONNX should take at once, so that memory stays bounded."""
        return max(1, min(self.reference.batch, _ELEMENTS // sum(tensor.elements for tensor in self.graph.tensors.values())))

    def check_frames(self, x: np.ndarray) -> None:
        """Raise FlowError unless ``x`` is ``[N, *input_frame]``."""
        if x.ndim != len(self.input_frame) + 1 or x.shape[1:] != self.input_frame or not len(x):
            raise FlowError(f"input '{self.reference.source}' has shape {list(x.shape)}; expected "
                            f"[N, {', '.join(map(str, self.input_frame))}]")

    def floats(self, x: np.ndarray) -> np.ndarray:
        """What QONNX is fed for ``x``: integers of a declared input times their scale, else ``x`` itself."""
        self.check_frames(x)
        if self.plan.entry is None and np.issubdtype(x.dtype, np.integer):
            scale, offset = self.plan.source.scale.value[0], self.plan.source.offset.value[0]
            x = x.astype(np.float64) * scale + offset
        return self.reference.fed(x)

    def quantise_input(self, x: np.ndarray) -> dict[str, IntArray]:
        """Integers for the graph's input from ONNX input frames.

        Parameters
        ----------
        x : ``[N, *input_frame]``; floats, or the integers themselves where the input is declared integer.

        Raises
        ------
        FlowError : wrong shape, or a value that the declared type and scale cannot represent.
        """
        self.check_frames(x)
        source = self.plan.source
        if self.plan.entry is None:
            whole = x if np.issubdtype(x.dtype, np.integer) else self._whole(x)
            return {source.name: source.to_stream(whole).astype(np.int64)}
        names = [op.name for op in self.host_pre]
        return {source.name: np.concatenate([self._levels(part, names) for part in batches(x, self.reference.batch)])}

    def _levels(self, x: np.ndarray, names: list[str]) -> IntArray:
        """The host's quantiser, as integers."""
        source = self.plan.source
        value = self.reference.run(names, {self.reference.source: self.reference.fed(x)})[source.tensor]
        exact = (source.to_stream(value).astype(np.float64) - source.offset.value) / source.scale.value
        return np.rint(exact).astype(np.int64)

    def _whole(self, x: np.ndarray) -> IntArray:
        source = self.plan.source
        exact: np.ndarray = (x.astype(np.float64) - source.offset.value[0]) / source.scale.value[0]
        whole: np.ndarray = np.rint(exact)
        wrong = np.abs(exact - whole) > 1e-3 + np.abs(whole) * 2.0**-22
        if wrong.any():
            raise FlowError(f"input '{source.name}' holds {float(x[wrong].flat[0])!r}, which is no integer times the declared "
                            f"scale {self.input_scale or 1}; give integers of type {source.dtype}, or the right scale")
        return whole.astype(np.int64)

    def values(self, outputs: Mapping[str, np.ndarray]) -> np.ndarray:
        """Real values of the graph's output integers, float32 ``[N, *frame]`` as QONNX holds them."""
        region = self.regions[-1]
        sink = region.sink
        stream = np.asarray(outputs[sink.name])
        return sink.to_frame(dequantise(region, stream.reshape(len(stream), *sink.shape)))

    def finish(self, outputs: Mapping[str, np.ndarray]) -> np.ndarray:
        """The network's output ``[N, ...]`` from the accelerator's: ``host_post`` applied."""
        names = [op.name for op in self.host_post]
        values = self.values(outputs)
        if not names:
            return values
        name = self.regions[-1].sink.tensor
        parts = [self.reference.run(names, {name: part})[self.reference.sink] for part in batches(values, self.reference.batch)]
        return np.concatenate(parts)

    def save(self, directory: Path) -> None:
        """Write ``graph.json``, ``graph.npz``, ``model.onnx`` and ``program.json``."""
        save_graph(self.graph, directory)
        write_bytes(directory / "model.onnx", self.model.model.SerializeToString())
        document = {
            "format": 1, "name": self.graph.name, "input_type": self.input_type,
            "input_scale": None if self.input_scale is None else str(self.input_scale), "notes": self.notes,
            "host_pre": [vars(op) for op in self.host_pre], "host_post": [vars(op) for op in self.host_post],
        }
        write_json(directory / "program.json", document)

    @staticmethod
    def load(directory: Path) -> Program:
        """Read what `save` wrote; the regions are found again in ``model.onnx``."""
        try:
            document: dict[str, Any] = json.loads((directory / "program.json").read_text())
            scale = document["input_scale"]
            declared = document["input_type"], None if scale is None else Fraction(scale)
        except (OSError, ValueError, KeyError) as error:
            raise FlowError(f"{directory}: no readable program ({type(error).__name__}: {error}); build again") from error
        graph = load_graph(directory)
        return _program(read_model(directory / "model.onnx"), str(directory / "model.onnx"), declared, graph.name, graph)


def dequantise(region: Region, level: IntArray) -> np.ndarray:
    """Real values of ``region``'s output integers ``[N, *shape]`` in QONNX's float32 (indices stay integers)."""
    if region.select:
        return level
    return replace(region.sink, quantiser=region.quantiser or region.sink.quantiser).dequantise(level)


def batches(x: np.ndarray, size: int) -> list[np.ndarray]:
    """``x`` cut along the first axis into parts of at most ``size``."""
    return [x[begin:begin + size] for begin in range(0, len(x), size)]


def compile_qonnx(
    path: Path, *, input_type: str | None = None, input_scale: Fraction | float | str | None = None, name: str | None = None
) -> Program:
    """Compile the QONNX file at ``path`` to an integer dataflow graph.

    Parameters
    ----------
    input_type : QONNX DataType of the input (``"UINT8"``, ``"BIPOLAR"``, ...), if its values are integers times ``input_scale``;
        pre-processing and the first quantiser then become thresholds in hardware. By default what the file says.
    input_scale : real value of the integer 1, for example ``Fraction(1, 255)``, ``"1/255"`` or ``1 / 255``; default 1. The golden
        model uses it exactly; QONNX's own execution is fed the nearest float32 of the product.
    name : name of the graph; default from the file's name.

    Raises
    ------
    FlowError : one line naming the node, the reason and a remedy.
    """
    path = Path(path)
    check_input_type(input_type)
    scale = None if input_scale is None else _scale(input_scale)
    if scale is not None and input_type is None:
        raise FlowError("an input scale was given without an input type; give both, for example UINT8 and 1/255")
    label = re.sub(r"\W", "_", name or path.stem)
    return _program(read_model(path), str(path), (input_type, scale), label if label[:1].isalpha() else f"net_{label}")


def check_input_type(name: str | None) -> None:
    """FlowError unless ``name`` is None or a type that an input can have."""
    if name is not None and not _INPUT_TYPE.fullmatch(name):
        raise FlowError(f"input type '{name}' is unknown; use BIPOLAR, TERNARY, UINT1..UINT16 or INT2..INT16")


def _scale(given: Fraction | float | str) -> Fraction:
    try:
        scale = Fraction(given)
        # A float near a simple ratio means the ratio: 1 / 255 has no exact float.
        simple = scale.limit_denominator(1 << 16)
        scale = simple if float(simple) == float(scale) else scale
    except (ValueError, ZeroDivisionError, OverflowError) as error:
        raise FlowError(f"input scale '{given}' is no number; write it like 1/255 or 0.5") from error
    if scale <= 0:
        raise FlowError(f"input scale '{given}' must be positive; write it like 1/255 or 0.5")
    return scale


def _program(proto: onnx.ModelProto, where: str, declared: tuple[str | None, Fraction | None], name: str,
             graph: Graph | None = None) -> Program:
    input_type, scale = declared
    model = clean(proto, where)
    reference = Reference(model)
    source = _declared(model, reference, input_type, scale)
    plan = Planner(model, reference, source).plan()
    kinds = {node.name: node.op_type for node in model.graph.node}
    after = "after the last quantiser: the accelerator hands over integers"
    pre = tuple(HostOp(node, kinds[node], "before the first integer tensor of a float input") for node in plan.host_pre)
    post = tuple(HostOp(node, kinds[node], after) for node in plan.host_post)
    graph = graph or lower(plan, name)
    return Program(graph, model, pre, post, plan.regions, plan.notes, plan, reference, input_type, scale)


def _declared(model: ModelWrapper, reference: Reference, input_type: str | None, scale: Fraction | None) -> Integers | None:
    """The input as an integer tensor, from the caller or from the file's annotation."""
    if input_type is None:
        annotated: str = model.get_tensor_datatype(reference.source).name
        if not _INPUT_TYPE.fullmatch(annotated):
            annotated = reference.kind.name.upper()  # an input of ONNX type uint8 says as much
        if not _INPUT_TYPE.fullmatch(annotated):
            return None
        input_type = annotated
    if reference.kind.kind in "iub" and scale not in (None, 1):
        raise FlowError(f"input '{reference.source}' has ONNX type {reference.kind.name}, so its values are the integers "
                        "themselves; leave the input scale out")
    frame = tuple(model.get_tensor_shape(reference.source)[1:])
    dtype = "UINT1" if input_type == "BINARY" else DataType[input_type].name.replace("BINARY", "UINT1")
    name, order = reference.source, counting(frame)
    return Integers(name, name, frame, order, Const.of_fractions([scale or Fraction(1)]), Const.of(0.0), dtype)
