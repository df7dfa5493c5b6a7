"""The hls4ml back end: an HLS project from the same QONNX file, checked against it before anything is said of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from hw_flow.backends.directory import BuildOptions, build_key, claim, current, finish, locked, read_input, staged, top_name
from hw_flow.backends.hls4ml import installed, runner
from hw_flow.backends.hls4ml.project import Project
from hw_flow.backends.hls4ml.runner import PROJECT
from hw_flow.backends.hls4ml.settings import HlsSettings, abilities, check
from hw_flow.backends.protocol import Build, Simulation
from hw_flow.errors import FlowError
from hw_flow.steps import Steps
from hw_flow.storage import digest

if TYPE_CHECKING:
    from hw_flow.backends.sizing import FifoSizing
    from hw_flow.fifo import Tick
    from hw_flow.frontend import Program
    from hw_flow.ir.tensor import FloatArray, IntArray
    from hw_flow.report.schema import Report, Resources

# Layers for which hls4ml rightly writes no code.
_FREE = ("InputLayer", "Reshape")


class Hls4mlBackend:
    """Projects for the HLS compilers that hls4ml knows, simulated as C++, synthesised by the vendor's tool."""

    name = "hls4ml"

    def build(self, model: Path, directory: Path, options: BuildOptions, steps: Steps) -> Build:
        """Write and compile an hls4ml project for ``model`` and check every layer of it on frames against QONNX.

        Raises
        ------
        FlowError : hls4ml is missing or of another version, a setting is illegal, a node has no exact counterpart, hls4ml
            stops, or a layer differs from QONNX; one line.
        """
        settings = HlsSettings.read(options.settings)
        _check_options(options)
        installed.check_installed(settings)
        content = read_input(model, "model")
        key = build_key(self.name, model, content, options)
        with locked(directory):
            stamp = current(directory, key)
            if stamp is not None:
                return Build(directory, self.name, stamp, reused=True)
            if (directory / PROJECT).exists() and not options.force:
                raise FlowError(f"{directory / PROJECT}: a project of another build is there, perhaps with synthesis results; "
                                "give --force to replace it, or another --output")
            claim(directory)
            program, project = _translated(model, directory, options, settings, steps=steps)
            with staged(directory) as staging:
                stamp = _made(program, project, staging, key=key, steps=steps) | {
                    "key": key, "backend": self.name, "name": top_name(model, options), "model_file": model.name,
                    "model_sha256": digest((content,)), "options": options.as_dict(), "seconds": dict(steps.seconds)}
                finish(directory, staging, options, stamp)
        return Build(directory, self.name, stamp)

    def simulate(
        self, build: Build, x: IntArray | FloatArray, *, stalls: bool = False, seed: int = 0, trace: Path | None = None,
        compare: bool = True, profile: str = "check", steps: Steps,
    ) -> Simulation:
        """Run frames ``x [N, *model input]`` through the C++ model; there are no cycles, stalls or waves in it."""
        from hw_flow.frontend import compare as compare_with_qonnx

        del seed, profile
        if stalls or trace is not None:
            raise FlowError(f"{build.directory}: hls4ml's C simulation has no {'stalls' if stalls else 'waves'}; leave "
                            f"{'--stalls' if stalls else '--trace'} out, or build with --backend rtl --unfold")
        project = Project.load(build.directory, _program(build))
        with steps("C simulation"):
            checked = project.simulate(x, build.key)
        comparison = None
        if compare:
            with steps("compare"):
                comparison = compare_with_qonnx(project.program, x, checked.outputs)
        return Simulation(
            outputs=checked.outputs, results=project.program.finish(checked.outputs), interval_cycles=None, latency_cycles=None,
            cycles=None, monitors={}, fault=checked.fault, wrong_frames=checked.wrong_frames, comparison=comparison,
            source=project.source, fault_node=checked.fault_node)

    def size_fifos(
        self, build: Build, *, frames: int, seed: int, steps: Steps, progress: Callable[[Tick], None] | None = None,
    ) -> FifoSizing:
        """hls4ml sizes its FIFOs by the vendor's co-simulation alone."""
        del frames, seed, steps, progress
        raise FlowError(f"{build.directory}: FIFOs of an hls4ml project are sized by the vendor's co-simulation; build with "
                        "--backend rtl to size them here")

    def resources(self, build: Build, target: str, *, nodsp: bool = False, flatten: bool = False, steps: Steps) -> Resources:
        """What the vendor's tool says the project costs; FlowError where it is not on the PATH."""
        from hw_flow.backends.hls4ml.vendor import synthesise

        if nodsp or flatten:
            raise FlowError(f"{build.directory}: {'--nodsp' if nodsp else '--flatten'} is for Yosys; set the strategy of the "
                            "layers in the settings instead")
        return synthesise(build, Project.load(build.directory, _program(build)), target, steps)

    def report(self, build: Build) -> Report:
        """The report of everything recorded in the build directory so far."""
        from hw_flow.backends.hls4ml.report import assemble

        return assemble(build, Project.load(build.directory, _program(build)))


def _program(build: Build) -> Program:
    from hw_flow.frontend import Program

    program = build.program
    assert isinstance(program, Program)
    return program


def _translated(model: Path, directory: Path, options: BuildOptions, settings: HlsSettings, *,
                steps: Steps) -> tuple[Program, Project]:
    """The compiled model and its layers, before anything slow; settings are checked against them."""
    from hw_flow import frontend
    from hw_flow.backends.hls4ml.translate import translate
    from hw_flow.backends.rtl import scale_of

    with steps("compile model"):
        program = frontend.compile_qonnx(model, input_type=options.input_type, input_scale=scale_of(options.input_scale),
                                         name=top_name(model, options))
        netlist = translate(program.graph, abilities(settings))
    check(settings, netlist)
    if any(settings.of(layer)[0] == "distributed_arithmetic" for layer in netlist.layers if layer.matrix is not None):
        installed.check_arithmetic(settings)
    return program, Project(directory, program, netlist, settings, runner.NOTHING, directory / "logs")


def _made(program: Program, project: Project, staging: Path, *, key: str, steps: Steps) -> dict[str, object]:
    """Write, compile and check the project in ``staging``; what the stamp says of it."""
    settings = project.settings
    with steps("write project"):
        program.save(staging)
        written = runner.convert(project.netlist, settings, staging / PROJECT, project.logs / "convert.log")
    project = replace(project, directory=staging, written=written)
    project.save()
    notes = [*program.notes, *_notes(project)]
    compiles = runner.compiles(settings)
    if compiles:
        with steps("compile C simulation"):
            project.compile()
        with steps("check against QONNX"):
            notes.append(_checked(project, key))
    else:
        notes.append(f"not simulated: {settings.tool} code needs the vendor's compiler; its layers, types and weights are those "
                     "that 'tool: Vitis' simulates")
    return {"notes": notes, "host_ops": _host(project), "tool": settings.tool, "checked": settings.samples if compiles else 0}


def _checked(project: Project, key: str) -> str:
    """Compare all layers on random frames with extremes; the note that says so, FlowError on any difference."""
    from hw_flow.backends.inputs import random_frames
    from hw_flow.frontend import compare

    samples = project.settings.samples
    x = random_frames(project.program, samples, 0)
    checked = project.simulate(x, key)
    if checked.fault is not None:
        raise FlowError(f"hls4ml computes something else than the model: {checked.fault}; nothing was built, report this")
    comparison = compare(project.program, x, checked.outputs)
    if not comparison.bit_exact:
        raise FlowError(f"the compiled model is not QONNX's: {comparison.detail}; nothing was built, report this")
    ties = f", {comparison.ties} ties" if comparison.ties else ""
    return f"every layer equals QONNX on {samples} frames{ties} ({project.source}, {project.settings.tool}, g++)"


def _check_options(options: BuildOptions) -> None:
    """FlowError for a way to fold, which hls4ml has not."""
    ways = {"--folding": options.folding, "--target-cycles": options.target_cycles, "--unfold": options.unfold or None,
            "--fps": options.fps, "--target-latency": options.target_latency, "--budget-luts": options.budget_luts,
            "--budget-brams": options.budget_brams, "--budget-dsps": options.budget_dsps}
    given = [flag for flag, value in ways.items() if value is not None]
    if given:
        raise FlowError(f"{given[0]} folds our own hardware; hls4ml is folded by reuse factors: give them in --settings")


def _host(project: Project) -> list[dict[str, str]]:
    program = project.program
    found = [{"name": op.name, "op_type": op.op_type, "reason": op.reason, "side": side}
             for side, ops in (("before", program.host_pre), ("after", program.host_post)) for op in ops]
    last = program.graph.nodes[-1]
    if last.outputs[0] not in project.netlist.wires:
        found.append({"name": last.source[-1] if last.source else last.name, "op_type": "TopK", "side": "after",
                      "reason": "hls4ml has no layer for the index of the largest value"})
    return found


def _notes(project: Project) -> list[str]:
    """What each layer was built as; FlowError if hls4ml took something else than it was told."""
    made = {layer["name"]: layer for layer in project.written.layers}
    notes = []
    for layer in project.netlist.layers:
        if layer.kind not in _FREE and layer.name in made and not made[layer.name]["code"]:
            raise FlowError(f"{layer.name}: hls4ml's {project.settings.tool} leaves a {layer.kind} out; set 'tool: Vitis', or "
                            "build with --backend rtl")
        if layer.matrix is None or layer.name not in made:
            continue
        strategy, reuse = project.settings.of(layer)
        got = made[layer.name]
        if got["strategy"] is not None and got["strategy"] != strategy:
            raise FlowError(f"{layer.name}: hls4ml took strategy '{got['strategy']}' in place of '{strategy}'; choose another")
        if got["reuse_factor"] is not None and int(got["reuse_factor"]) != reuse:
            raise FlowError(f"{layer.name}: hls4ml took reuse factor {got['reuse_factor']} in place of {reuse}; give another")
        notes.append(f"{layer.name}: {layer.kind}, strategy {strategy}, reuse factor {reuse}, accumulator {layer.types['accum']}")
    return notes
