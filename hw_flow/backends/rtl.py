"""The back end of our own SystemVerilog: needs no vendor tool."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from hw_flow.backends.directory import BuildOptions, build_key, claim, current, finish, locked, read_input, staged, top_name
from hw_flow.backends.protocol import Build, Simulation
from hw_flow.errors import FlowError
from hw_flow.steps import Steps
from hw_flow.storage import digest, write_json

if TYPE_CHECKING:
    from collections.abc import Callable

    from hw_flow.backends.sizing import FifoSizing
    from hw_flow.fifo import Tick
    from hw_flow.folding import FoldingPlan
    from hw_flow.ir import Graph
    from hw_flow.ir.tensor import FloatArray, IntArray
    from hw_flow.report.schema import Report, Resources


_SMALLEST = Fraction(1, 2**126)  # of float32, in which the model computes


class RtlBackend:
    """Streaming accelerators from the kernels in ``hw_flow/rtl``, simulated by Verilator, measured by Yosys."""

    name = "rtl"

    def build(self, model: Path, directory: Path, options: BuildOptions, steps: Steps) -> Build:
        """Compile ``model`` into ``directory``; a build with nothing changed is returned as it is, in milliseconds.

        Raises
        ------
        FlowError : the model, the folding or the directory cannot be used.
        """
        content = read_input(model, "model")
        if options.settings is not None:
            raise FlowError(f"--settings {options.settings}: the rtl back end has no settings of its own; leave it out")
        key = build_key(self.name, model, content, options)
        with locked(directory):
            stamp = current(directory, key)
            if stamp is not None:
                return Build(directory, self.name, stamp, reused=True)
            return self._build(model, content, directory, options, key=key, steps=steps)

    def _build(self, model: Path, content: bytes, directory: Path, options: BuildOptions, *, key: str, steps: Steps) -> Build:
        from hw_flow import fifo, folding, frontend, rtl

        claim(directory)
        name = top_name(model, options)
        with steps("compile model"):
            program = frontend.compile_qonnx(
                model, input_type=options.input_type, input_scale=scale_of(options.input_scale), name=name)
        with steps("fold"):
            plan = choose_folding(program.graph, options)
            depths = fifo.depths(program.graph, plan)
        host = [{"name": op.name, "op_type": op.op_type, "reason": op.reason, "side": side}
                for side, ops in (("before", program.host_pre), ("after", program.host_post)) for op in ops]
        stamp = {
            "key": key, "backend": self.name, "name": name, "model_file": model.name, "model_sha256": digest((content,)),
            "notes": [*program.notes, *plan.notes], "host_ops": host, "target_cycles": plan.target_cycles,
            "options": options.as_dict(),
        }
        with staged(directory) as staging:
            with steps("emit RTL"):
                program.save(staging)
                folding.write(staging / "folding.json", plan)
                write_json(staging / "fifo.json", depths)
                rtl.emit(program.graph, plan, depths, staging / "rtl", name)
            stamp["seconds"] = dict(steps.seconds)
            finish(directory, staging, options, stamp)
        return Build(directory, self.name, stamp)

    def simulate(
        self, build: Build, x: IntArray | FloatArray, *, stalls: bool = False, seed: int = 0, trace: Path | None = None,
        compare: bool = True, profile: str = "check", steps: Steps,
    ) -> Simulation:
        """Run the frames ``x [N, *model input]`` cycle by cycle under Verilator."""
        from hw_flow.backends.simulation import simulate

        return simulate(build, x, stalls=stalls, seed=seed, trace=trace, compare=compare, profile=profile, steps=steps)

    def size_fifos(
        self, build: Build, *, frames: int, seed: int, steps: Steps, progress: Callable[[Tick], None] | None = None,
    ) -> FifoSizing:
        """Shrink FIFOs under Verilator."""
        from hw_flow.backends.sizing import size

        return size(build, frames=frames, seed=seed, steps=steps, progress=progress)

    def resources(
        self, build: Build, target: str, *, nodsp: bool = False, flatten: bool = False, steps: Steps,
    ) -> Resources:
        """Synthesise every layer and the rest of the top with Yosys; ``flatten`` also the whole top in one run."""
        from hw_flow.backends.synthesis import synthesise

        return synthesise(build, target, nodsp=nodsp, flatten=flatten, steps=steps)

    def report(self, build: Build) -> Report:
        """The report of everything recorded in the build directory so far."""
        from hw_flow.report.assemble import assemble

        return assemble(build)


def choose_folding(graph: Graph, options: BuildOptions) -> FoldingPlan:
    """The user's folding, the one for his target or budget, the unfolded one, or the default rule's, noted as such."""
    from hw_flow import folding
    from hw_flow.rtl.choose import constant_logic

    if options.folding is not None:
        plan = folding.read(options.folding, graph)
    elif options.target_cycles is not None:
        plan = folding.for_cycles(graph, options.target_cycles)
    elif options.fps is not None and options.clock_mhz is not None:
        plan = folding.for_rate(graph, options.fps, options.clock_mhz)
    elif options.target_latency is not None:
        plan = folding.for_latency(graph, options.target_latency)
    elif (options.budget_luts, options.budget_brams, options.budget_dsps) != (None, None, None):
        plan = folding.for_budget(graph, folding.Budget(options.budget_luts, options.budget_brams, options.budget_dsps))
    elif options.unfold:
        plan = folding.unfolded(graph)
    else:
        plan = folding.default(graph)
    if options.pipeline_levels is not None:
        plan = folding.pipelined(graph, plan, options.pipeline_levels)
    elif options.clock_mhz is not None:
        plan = folding.pipelined(graph, plan, folding.levels_at(options.clock_mhz))
    folding.check(graph, plan)
    if options.pipeline_levels is not None and not any(
            constant_logic(node, plan[node.name], graph) for node in graph):
        plan = replace(plan, notes=(*plan.notes, "pipeline levels change nothing: no layer is unrolled to constant logic"))
    chosen = tuple(f"{node.name}: {folding.describe(node, plan[node.name])},"
                   f" {folding.node_cycles(node, plan[node.name], graph)} cycles a frame" for node in graph)
    return plan if options.folding is not None else replace(plan, notes=(*plan.notes, *chosen))


def scale_of(text: str | None) -> Fraction | None:
    """``"1/255"`` or ``"0.25"`` as an exact number; FlowError if it is neither."""
    if text is None:
        return None
    try:
        scale = Fraction(text)
    except (ValueError, ZeroDivisionError) as error:
        raise FlowError(f"--input-scale '{text}' is not a number; give a fraction such as 1/255 or a decimal") from error
    if scale <= 0:
        raise FlowError(f"--input-scale {text} is not positive; give a fraction such as 1/255 or a decimal")
    if not _SMALLEST <= scale <= 1 / _SMALLEST:
        raise FlowError(f"--input-scale {text} is beyond what float32 can hold; give a fraction such as 1/255 or a decimal")
    return scale
