"""What a network costs as hardware, layer by layer: built, simulated bit for bit, synthesised."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from hw_flow.codesign.forecast import Forecast, Objective, folded, proportional, shared
from hw_flow.errors import FlowError
from hw_flow.steps import Steps

if TYPE_CHECKING:
    from hw_flow.backends.protocol import Compiled
    from hw_flow.ir import Graph
    from models import BitConfig, Network, Spec
    from quant_training import Dataset


@dataclass(frozen=True)
class Measured:
    """Hardware of one network.

    Attributes
    ----------
    luts, cycles : by layer of the network: LUTs of its matrix units, and the cycles a frame of the slowest.
    rest_luts : LUTs of all else: windows, pools, FIFOs, converters, glue.
    interval_cycles : of the whole accelerator.
    sources : where LUTs and cycles come from.
    samples : frames on which hardware, golden model and QONNX were equal.
    """

    luts: tuple[float, ...]
    cycles: tuple[int, ...]
    rest_luts: float
    interval_cycles: int
    sources: dict[str, str]
    samples: int

    @property
    def total_luts(self) -> float:
        """All LUTs."""
        return sum(self.luts) + self.rest_luts

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {**vars(self), "total_luts": self.total_luts}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Measured:
        """From `to_json`."""
        given = {name: value for name, value in values.items() if name != "total_luts"}
        return cls(**{**given, "luts": tuple(given["luts"]), "cycles": tuple(given["cycles"])})


class Meter(Protocol):
    """Measures a network; files go into ``directory``."""

    def __call__(self, model: Network, directory: Path) -> Measured:
        """The measurement of ``model``."""

    def forecast(self, measured: Measured, spec: Spec, bits: BitConfig, objective: Objective) -> Forecast:
        """The objective as a function of the shape, from the measurement of shape ``spec`` with types ``bits``."""

    def key(self) -> str:
        """All that determines what is measured; a run with another key is not carried on."""


@dataclass(frozen=True)
class HardwareMeter:
    """The real measurement.

    Attributes
    ----------
    data : samples for the simulation.
    target : of the synthesis.
    target_cycles, unfold, budget_luts : how each network is folded, exactly one of them: for an interval, not at all, or as
        fast as the cost model's LUTs allow.
    samples : frames through Verilator; an interval takes two.
    """

    data: Dataset
    target: str = "xc7"
    target_cycles: int | None = None
    unfold: bool = False
    budget_luts: int | None = None
    samples: int = 8
    steps: Steps | None = None

    def __post_init__(self) -> None:
        if (self.target_cycles is not None) + self.unfold + (self.budget_luts is not None) != 1:
            raise FlowError("measuring: give one of target_cycles, unfold and budget_luts, so that all networks are folded alike")

    def key(self) -> str:
        """The settings."""
        return f"{self.target} {self.target_cycles} {self.unfold} {self.budget_luts} {self.samples}"

    def forecast(self, measured: Measured, spec: Spec, bits: BitConfig, objective: Objective) -> Forecast:
        """See `Meter`.

        Raises
        ------
        FlowError : the objective is what the folding holds fixed.
        """
        if (objective == "cycles") != (self.budget_luts is not None):
            held = "budget_luts holds the LUTs" if objective == "luts" else "without budget_luts the cycles are fixed"
            raise FlowError(f"measuring: {held}, so {objective} cannot become fewer; use objective cycles with budget_luts, "
                            "luts with target_cycles or unfold")
        if objective == "cycles":
            return shared(measured, spec, bits)
        if self.target_cycles is not None:
            return folded(measured, spec, bits, self.target_cycles)
        return proportional(measured, spec, bits, objective)

    def __call__(self, model: Network, directory: Path) -> Measured:
        """Export, build, simulate and synthesise ``model``.

        Raises
        ------
        FlowError : the network cannot be built, or hardware, golden model and QONNX differ.
        """
        from hw_flow import api
        from hw_flow.export import export

        steps = self.steps or Steps()
        onnx = directory / "model.onnx"
        with steps("export"):
            export(model, self.data, onnx)
        made = api.build(onnx, directory / "build", target_cycles=self.target_cycles, unfold=self.unfold,
                         budget_luts=self.budget_luts, steps=steps)
        frames = self.data.test.take(self.samples).x.reshape(-1, *made.program.input_frame)
        run = api.simulate(made, frames, profile="fast", steps=steps)
        if run.fault is not None or run.comparison is None or not run.comparison.bit_exact:
            where = run.fault or (run.comparison and run.comparison.first_mismatch)
            raise FlowError(f"{onnx}: the hardware is not bit-exact ({where}); report this as a bug with the file")
        cost = api.synth(made, target=self.target, steps=steps)
        counts = {name: float(figures["luts"].value) for name, figures in cost.layers.items()}
        units = matrix_units(made.program, model)
        luts = tuple(sum(counts[name] for name in names) for names in units)
        total = cost.total["luts"]
        cycles = _cycles(made.program.graph, made.directory, units)
        return Measured(
            luts, cycles, float(total.value) - sum(luts), run.interval_cycles or max(cycles),
            {"luts": total.source, "cycles": "model", "interval_cycles": run.source}, len(frames),
        )


def matrix_units(program: Compiled, model: Network) -> list[tuple[str, ...]]:
    """Names of the nodes that compute the layers of ``model``, in their order: one a layer, or one a group of its channels.

    The export numbers its matrix products as the layers are called, and each node names those that it implements.

    Raises
    ------
    FlowError : the program was not made of an export of ``model``, or a layer is in no matrix unit.
    """
    from hw_flow.export.brevitas import PRODUCTS, in_order
    from hw_flow.frontend import Program
    from hw_flow.ir import MVAU, VVAU

    assert isinstance(program, Program)  # as the rtl back end has it
    products = in_order(node for node in program.model.graph.node if node.op_type in PRODUCTS)
    if len(products) != len(model.layers):
        raise FlowError(f"measuring: the network has {len(model.layers)} layers, its QONNX file {len(products)} numbered matrix "
                        "products; export it again")
    units = [node for node in program.graph if isinstance(node, MVAU | VVAU)]
    found = [tuple(unit.name for unit in units if product.name in unit.source) for product in products]
    for index, names in enumerate(found):
        if not names:
            raise FlowError(f"measuring: layer {index} of the network, '{products[index].name}', has no matrix unit of its own in"
                            " hardware; it cannot be pruned by what it costs")
    return found


def _cycles(graph: Graph, directory: Path, units: list[tuple[str, ...]]) -> tuple[int, ...]:
    from hw_flow import folding

    plan = folding.read(directory / "folding.json", graph)
    return tuple(max(folding.node_cycles(graph.node(name), plan[name], graph) for name in names) for names in units)
