"""What every back end offers: build, simulate, resources, report, on a build directory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from hw_flow.backends.directory import BuildOptions
from hw_flow.steps import Steps
from hw_flow.storage import digest

if TYPE_CHECKING:
    import numpy as np

    from hw_flow.backends.sizing import FifoSizing
    from hw_flow.fifo import Tick
    from hw_flow.folding import FoldingPlan
    from hw_flow.frontend import Comparison
    from hw_flow.ir import Graph
    from hw_flow.ir.tensor import FloatArray, IntArray
    from hw_flow.report.schema import Report, Resources
    from hw_flow.rtl.design import Design


class Compiled(Protocol):
    """A compiled model, as far as frames and results are concerned."""

    @property
    def graph(self) -> Graph:
        """What the accelerator computes."""

    @property
    def input_frame(self) -> tuple[int, ...]:
        """Shape of one frame of the ONNX input, without the batch."""

    @property
    def input_span(self) -> tuple[float, float, float] | None:
        """Lowest and highest value and step of a float input; None where the input is integer."""

    def quantise_input(self, x: np.ndarray) -> dict[str, IntArray]:
        """Integers for the graph's input from frames ``[N, *input_frame]``."""

    def finish(self, outputs: Mapping[str, np.ndarray]) -> np.ndarray:
        """The model's output ``[N, ...]`` from the accelerator's."""


@dataclass(frozen=True)
class Build:
    """A complete build on disk.

    Attributes
    ----------
    directory : holds all artefacts.
    backend : name of the back end that made it.
    stamp : content of ``build.json``: key, name, notes, seconds, host operators, tools.
    reused : whether nothing had changed and the build was taken as it was.
    """

    directory: Path
    backend: str
    stamp: Mapping[str, Any]
    reused: bool = False

    @property
    def name(self) -> str:
        """Name of the graph and of the top module."""
        return str(self.stamp["name"])

    @property
    def key(self) -> str:
        """Hash of all that the build was made from, and of FIFO sizes that were measured since."""
        key, sizing = str(self.stamp["key"]), self.stamp.get("fifo")
        return key if sizing is None else digest((key, repr(sizing["fifos"])))

    @property
    def notes(self) -> tuple[str, ...]:
        """What was decided on the user's behalf, one sentence each."""
        return tuple(self.stamp["notes"])

    @cached_property
    def program(self) -> Compiled:
        """The compiled model: graph, and what the host does around it."""
        if self.backend == "finn":
            from hw_flow.backends.finn.program import FinnProgram

            return FinnProgram.load(self.directory)
        from hw_flow.frontend import Program

        return Program.load(self.directory)

    @property
    def graph(self) -> Graph:
        """The dataflow graph."""
        return self.program.graph

    @cached_property
    def folding(self) -> FoldingPlan:
        """PE and SIMD of every node."""
        from hw_flow import folding

        return folding.read(self.directory / "folding.json", self.graph)

    @cached_property
    def design(self) -> Design:
        """The emitted hardware."""
        from hw_flow.rtl.design import Design

        return Design.load(self.directory / "rtl")

    @property
    def depths(self) -> dict[str, int]:
        """FIFO depth in beats by tensor name."""
        from hw_flow.storage import read_json

        return {name: int(str(depth)) for name, depth in read_json(self.directory / "fifo.json").items()}


@dataclass(frozen=True, eq=False)
class Simulation:
    """What one cycle-accurate run showed.

    Attributes
    ----------
    outputs : integers by graph output, ``[N, *shape]``.
    results : what the user's model returns, after the host's operators, float ``[N, ...]``.
    interval_cycles : steady cycles between frames; None for a single frame.
    latency_cycles : first accepted input beat to last beat of the first output frame, counted inclusively; None where nothing
        counts cycles.
    cycles : all cycles of the run, or None.
    monitors : counters by stream: ``transfers``, ``stalls``, ``starves``, ``peak``.
    fault : None if the hardware equals the golden model, else where it first differs. Always a bug.
    wrong_frames : frames in which hardware and golden model, or golden model and QONNX, differ.
    comparison : against QONNX execution, or None if it was not asked for.
    source : tool and version, for the report.
    fault_node : ONNX node whose output differs, if there is a fault.
    """

    outputs: Mapping[str, IntArray]
    results: FloatArray
    interval_cycles: int | None
    latency_cycles: int | None
    cycles: int | None
    monitors: Mapping[str, Mapping[str, int]]
    fault: str | None
    wrong_frames: int
    comparison: Comparison | None
    source: str
    fault_node: str | None = None


class Backend(Protocol):
    """One way from a QONNX file to hardware."""

    name: str

    def build(self, model: Path, directory: Path, options: BuildOptions, steps: Steps) -> Build:
        """Compile ``model`` into ``directory``; returns at once if nothing changed."""

    def simulate(
        self, build: Build, x: IntArray | FloatArray, *, stalls: bool, seed: int, trace: Path | None, compare: bool,
        profile: str = "check", steps: Steps,
    ) -> Simulation:
        """Run the frames ``x [N, *model input]`` cycle by cycle; ``profile`` is ``check`` or ``fast``."""

    def size_fifos(
        self, build: Build, *, frames: int, seed: int, steps: Steps, progress: Callable[[Tick], None] | None = None,
    ) -> FifoSizing:
        """Shrink FIFOs as long as nothing gets slower, and put them into the build."""

    def resources(self, build: Build, target: str, *, nodsp: bool, flatten: bool, steps: Steps) -> Resources:
        """What the hardware costs on ``target``, per layer and in all."""

    def report(self, build: Build) -> Report:
        """All that is known of the build."""
