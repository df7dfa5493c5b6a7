"""The FINN back end: FINN+ converts, folds and generates; our simulator runs what it made."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hw_flow.backends.directory import (
    BuildOptions,
    build_key,
    claim,
    current,
    finish,
    locked,
    read_input,
    staged,
    standing,
    top_name,
)
from hw_flow.backends.finn.environment import check_environment
from hw_flow.backends.finn.process import LOG, run_inside
from hw_flow.backends.finn.request import Request
from hw_flow.backends.finn.settings import FinnSettings, checked_folding, read_settings
from hw_flow.backends.finn.standing import check_older, project_digest
from hw_flow.backends.protocol import Build, Simulation
from hw_flow.backends.rtl import RtlBackend
from hw_flow.errors import FlowError
from hw_flow.frontend.load import read_model
from hw_flow.frontend.program import check_input_type
from hw_flow.steps import Steps
from hw_flow.storage import digest, write_bytes, write_json

if TYPE_CHECKING:
    from hw_flow.backends.finn.importer import Placed
    from hw_flow.backends.finn.program import FinnProgram
    from hw_flow.backends.sizing import FifoSizing
    from hw_flow.fifo import Tick
    from hw_flow.ir.tensor import FloatArray, IntArray

# Bits that no weight word has.
_ANY_WIDTH = 1 << 30
# How `BuildOptions` may fold; FINN solves for none of the others.
_FOLDED_ELSEWHERE = {"target_latency": "--target-latency", "budget_luts": "--budget-luts", "budget_brams": "--budget-brams",
                     "budget_dsps": "--budget-dsps"}


class FinnBackend(RtlBackend):
    """FINN+ in a child process, without Vivado: hardware graph, estimates, RTL, HLS C++, and a project for a Vivado machine.

    What is simulated are our kernels at FINN's folding; they are synthesised and reported as for `RtlBackend`.
    """

    name = "finn"

    def build(self, model: Path, directory: Path, options: BuildOptions, steps: Steps) -> Build:
        """Let FINN compile ``model`` into ``directory``; a build with nothing changed is returned as it is.

        Raises
        ------
        FlowError : FINN is missing or refuses the model, an option has no meaning for FINN, or another build lies there.
        """
        content = read_input(model, "model")
        for field, flag in _FOLDED_ELSEWHERE.items():
            if getattr(options, field) is not None:
                raise FlowError(f"{flag}: FINN does not fold for it; give --target-cycles, --fps with --clock, --unfold or "
                                "--folding")
        settings = read_settings(options.settings)
        if options.folding is not None:
            checked_folding(options.folding)
        _check_options(options)
        version = check_environment()
        read_model(model)
        key = build_key(self.name, model, content, options)
        inputs = build_key(self.name, model, content, options, code=False)
        with locked(directory):
            stamp = current(directory, key)
            if stamp is not None:
                return Build(directory, self.name, stamp, reused=True)
            older = standing(directory)
            if older is not None and not options.force:
                check_older(directory, older, inputs)
            claim(directory)
            return _build(model, content, directory, options, settings=settings, version=version,
                          keys={"key": key, "inputs": inputs}, steps=steps)

    def simulate(
        self, build: Build, x: IntArray | FloatArray, *, stalls: bool = False, seed: int = 0, trace: Path | None = None,
        compare: bool = True, profile: str = "check", steps: Steps,
    ) -> Simulation:
        """Run the frames ``x [N, *model input]`` through FINN's accelerator under Verilator."""
        from hw_flow.backends.finn.simulation import simulate

        return simulate(build, x, stalls=stalls, seed=seed, trace=trace, compare=compare, profile=profile, steps=steps)

    def size_fifos(
        self, build: Build, *, frames: int, seed: int, steps: Steps, progress: Callable[[Tick], None] | None = None,
    ) -> FifoSizing:
        """FINN's FIFOs stay as its project has them."""
        del frames, seed, steps, progress
        raise FlowError(f"{build.directory}: a finn build keeps the FIFO depths of its project; build with --backend rtl to size "
                        "them")


def _build(model: Path, content: bytes, directory: Path, options: BuildOptions, *, settings: FinnSettings, version: str,
           keys: Mapping[str, str], steps: Steps) -> Build:
    from hw_flow import fifo, folding, rtl
    from hw_flow.backends.finn.depths import given, taken
    from hw_flow.backends.finn.modules import replacements
    from hw_flow.backends.finn.program import FOLDER, FinnProgram
    from hw_flow.backends.finn.project import complete
    from hw_flow.ir import save_graph

    name = top_name(model, options)
    with staged(directory) as staging:
        project = staging / FOLDER
        project.mkdir()
        write_bytes(staging / "model.onnx", content)
        request = _request(staging / "model.onnx", project, name, options, settings)
        request.save(project / "request.json")
        with steps("convert with FINN"), _log_kept(project / LOG, directory / LOG):
            answer = run_inside("convert", project / "request.json", timeout_s=settings.timeout_s, what=str(model),
                                shown=directory / LOG)
        shutil.rmtree(project / "scratch", ignore_errors=True)
        request.relative_to(staging).save(project / "request.json")
        with steps("import FINN's graph"):
            program = FinnProgram.load(staging, name)
            imported = program.imported
            folding.check(imported.graph, imported.folding)
            fifos = given(program.hardware, request.folding_file, answer["fifos"])
            depths, told = taken(imported, fifo.depths(imported.graph, imported.folding), fifos)
        with steps("emit RTL"):
            save_graph(imported.graph, staging)
            folding.write(staging / "folding.json", imported.folding)
            write_json(staging / "fifo.json", depths)
            rtl.emit(imported.graph, imported.folding, depths, staging / "rtl", name)
            write_json(project / "code.json", answer["code"])
            complete(project, program, depths, answer["fifos"])
            own = {one.finn for one in replacements(program, answer["code"])} if settings.simulate_rtl else set()
        stamp: dict[str, Any] = {
            **keys, "project": project_digest(staging), "backend": FinnBackend.name,
            "name": name, "model_file": model.name, "model_sha256": digest((content,)),
            "notes": [*_notes(imported.placed, own, answer["code"]), *told, *answer["notes"], *imported.folding.notes],
            "host_ops": _host_ops(program),
            "target_cycles": request.target_cycles, "options": options.as_dict(), "finn": version,
            "nodes": [{"finn": one.finn, "op_type": one.op_type, "node": one.node, "runs_on": _runs_on(one, own)}
                      for one in imported.placed],
            "seconds": {**steps.seconds, **{f"FINN: {step}": spent for step, spent in answer["seconds"].items()}},
        }
        finish(directory, staging, options, stamp)
    return Build(directory, FinnBackend.name, stamp)


def _check_options(options: BuildOptions) -> None:
    """FlowError for values that FINN would stumble over, or take."""
    from hw_flow.backends.rtl import scale_of
    from hw_flow.folding import checked_target, cycles_at

    check_input_type(options.input_type)
    scale_of(options.input_scale)
    if options.clock_mhz is not None and not 0 < options.clock_mhz < inf:
        raise FlowError(f"--clock {options.clock_mhz:g}: no clock in MHz; give a positive number")
    if options.fps is not None and options.clock_mhz is not None:
        cycles_at(options.fps, options.clock_mhz)
    if options.target_cycles is not None:
        checked_target(options.target_cycles)


def _request(model: Path, project: Path, name: str, options: BuildOptions, settings: FinnSettings) -> Request:
    from hw_flow.backends.rtl import scale_of
    from hw_flow.folding import cycles_at

    scale = scale_of(options.input_scale)
    folding = styles = None
    if options.folding is not None:
        folding = project / "folding.json"
        write_bytes(folding, checked_folding(options.folding))
    if settings.styles:
        styles = project / "specialize_layers.json"
        write_json(styles, {"Defaults": {}, **{node: {"preferred_impl_style": style} for node, style in settings.styles.items()}})
    clock_ns = 1000.0 / options.clock_mhz if options.clock_mhz is not None else settings.clock_ns
    target, widest = options.target_cycles, settings.mvau_wwidth_max
    if options.fps is not None and options.clock_mhz is not None:
        target = cycles_at(options.fps, options.clock_mhz)
    if options.unfold:
        target, widest = 1, _ANY_WIDTH
    return Request(
        model=model, output=project, name=name, part=settings.part, board=settings.board, clock_ns=clock_ns,
        input_type=options.input_type, input_scale=None if scale is None else float(scale), classify=settings.classify,
        standalone_thresholds=settings.standalone_thresholds, styles_file=styles, folding_file=folding, target_cycles=target,
        mvau_wwidth_max=widest)


def _runs_on(placed: Placed, own: Collection[str]) -> str:
    """What simulates a node of FINN's."""
    if placed.node is None:
        return "wire"
    return "FINN's RTL" if placed.finn in own else "our kernel"


def _notes(placed: Sequence[Placed], own: Collection[str], code: Mapping[str, Any]) -> list[str]:
    stand_ins = sorted({one.finn for one in placed if one.node is not None and one.finn not in own})
    notes = [f"simulated on FINN's own RTL: {', '.join(sorted(own)) or 'no node'};"
             f" on our kernels: {', '.join(stand_ins) or 'no node'}"]
    failed = [f"{node} ({made['error']})" for node, made in code.items() if "error" in made]
    return notes + [f"FINN generates no code without a vendor tool for {one}" for one in failed]


def _host_ops(program: FinnProgram) -> list[dict[str, str]]:
    reason = {"before": "before the first integer tensor of FINN's graph", "after": "after FINN's accelerator"}
    return [{"name": node.name, "op_type": node.op_type, "reason": reason[side], "side": side}
            for side, nodes in (("before", program.host.before), ("after", program.host.after)) for node in nodes]


@contextmanager
def _log_kept(log: Path, place: Path) -> Iterator[None]:
    """Leave FINN's log at ``place`` where it fails: the folder it was written in goes."""
    place.unlink(missing_ok=True)
    try:
        yield
    except BaseException:
        if log.exists():
            shutil.copyfile(log, place)
        raise
