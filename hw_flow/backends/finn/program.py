"""A model as FINN compiled it: the imported graph, and the host around it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from qonnx.core.modelwrapper import ModelWrapper

from hw_flow.backends.finn.hardware import HardwareGraph
from hw_flow.backends.finn.host import Host, integers
from hw_flow.backends.finn.importer import Imported, import_graph
from hw_flow.backends.finn.request import Request
from hw_flow.errors import FlowError
from hw_flow.ir import Graph
from hw_flow.ir.tensor import FloatArray, IntArray
from hw_flow.storage import read_json

FOLDER = "finn"


@dataclass(frozen=True, eq=False)
class FinnProgram:
    """What FINN made of a QONNX file.

    Attributes
    ----------
    directory : of the build.
    imported : our graph of the accelerator, and how its integers stand for FINN's.
    host : what comes before and after.
    request : what FINN was asked.
    """

    directory: Path
    imported: Imported
    host: Host
    request: Request

    @classmethod
    def load(cls, directory: Path, name: str | None = None) -> FinnProgram:
        """Read the build in ``directory``."""
        folder = directory / FOLDER
        request = Request.load(folder / "request.json")
        imported = import_graph(HardwareGraph.load(folder), name or str(read_json(directory / "graph.json")["name"]))
        return cls(directory, imported, Host.load(folder / "intermediate_models" / "dataflow_parent.onnx"), request)

    @cached_property
    def hardware(self) -> HardwareGraph:
        """FINN's graph."""
        return HardwareGraph.load(self.directory / FOLDER)

    @property
    def graph(self) -> Graph:
        """The accelerator."""
        return self.imported.graph

    @cached_property
    def model(self) -> ModelWrapper:
        """The QONNX file."""
        return ModelWrapper(str(self.directory / "model.onnx"))

    @cached_property
    def input_frame(self) -> tuple[int, ...]:
        """Shape of one frame of the ONNX input, without the batch."""
        return tuple(self.model.get_tensor_shape(self.model.graph.input[0].name)[1:])

    @property
    def input_span(self) -> tuple[float, float, float] | None:
        """Range of a float input; None where the input is integer."""
        return self.host.span()

    def floats(self, x: np.ndarray) -> FloatArray:
        """What QONNX is fed for ``x``: declared integers times their scale."""
        scale = self.request.input_scale if self.request.input_type is not None else None
        if scale is None or not np.issubdtype(x.dtype, np.integer):
            return x.astype(np.float64)
        return x.astype(np.float64) * scale

    def finn_input(self, x: np.ndarray) -> FloatArray:
        """Integers that FINN's accelerator reads, ``[N, *shape]`` in FINN's shape."""
        if self.host.input_type != "FLOAT32":
            scale = self.request.input_scale or 1.0
            given = x if np.issubdtype(x.dtype, np.integer) else np.rint(x / scale)
            if not np.issubdtype(x.dtype, np.integer) and np.abs(x / scale - given).max(initial=0.0) > 1e-3:
                raise FlowError("inputs are no integers times the declared scale; give integers, or the right --input-scale")
            x = integers(given.astype(np.float64), self.host.input_type, "the input")
        return self.host.head(x)

    def quantise_input(self, x: np.ndarray) -> dict[str, IntArray]:
        """Integers for the graph's input from frames ``[N, *input_frame]``."""
        name = self.graph.inputs[0]
        tensor = self.graph.tensors[name]
        finn = self.finn_input(x)
        return {name: self.imported.levels[name].ours(finn.reshape(len(x), *tensor.shape))}

    def finn_output(self, outputs: Mapping[str, np.ndarray]) -> IntArray:
        """FINN's integers of the accelerator's output."""
        name = self.graph.outputs[0]
        return self.imported.levels[name].finn(np.asarray(outputs[name]))

    def finish(self, outputs: Mapping[str, np.ndarray]) -> FloatArray:
        """The model's output ``[N, ...]`` from the accelerator's."""
        return self.host.tail(self.finn_output(outputs))
