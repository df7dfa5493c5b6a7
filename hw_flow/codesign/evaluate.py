"""The measurement of one point: fine-tune, export, build, simulate, synthesise. Runs on workers; JSON in, JSON out."""

from __future__ import annotations

import resource
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hw_flow.codesign.executor import FatalError
from hw_flow.codesign.points import Point
from hw_flow.codesign.problem import Problem, parse
from hw_flow.errors import FlowError
from hw_flow.steps import Steps

if TYPE_CHECKING:
    from hw_flow.backends import Simulation
    from hw_flow.frontend import Program
    from hw_flow.ir.tensor import FloatArray
    from hw_flow.rtl.design import Design
    from models import Network
    from quant_training import Dataset

# Part of every result's key: raised whenever the same point may measure differently.
VERSION = "2"
TOP = "accelerator"


def prepare(argument: Mapping[str, Any]) -> dict[str, Any]:
    """Train the shared checkpoint into ``DIR/base``.

    Returns
    -------
    ``checkpoint`` (path relative to the search folder), its accuracies and processor seconds.
    """
    import models

    problem, directory = parse(dict(argument["problem"])), Path(argument["directory"])
    training, start = problem.training, _cpu_seconds()
    point = Point(
        problem.input[-1], (training.base_weights,) * problem.depth, (training.base_activations,) * (problem.depth - 1)
    )
    data, model = _dataset(problem.model_dump_json(include={"dataset", "search"})), _network(problem, point)
    _fit(model, problem, data, training.base_epochs, training.base_learning_rate)
    models.save(model, directory / "base")
    scores = {part: _accuracy(model, data, part) for part in ("val", "test")}
    return {"checkpoint": "base", **scores, "cpu_seconds": round(_cpu_seconds() - start, 2)}


def evaluate(argument: Mapping[str, Any]) -> dict[str, Any]:
    """Measure ``argument["point"]``; its network and QONNX file are kept in ``DIR/models/<key>``.

    Raises
    ------
    FatalError : hardware, golden model and QONNX do not agree.
    """
    import models

    problem, point = parse(dict(argument["problem"])), Point.from_json(argument["point"])
    directory, start, steps = Path(argument["directory"]), _cpu_seconds(), Steps()
    training = problem.training
    with steps("train"):
        data, model = _dataset(problem.model_dump_json(include={"dataset", "search"})), _network(problem, point)
        models.load_weights(model, directory / argument["base"]["checkpoint"])
        _fit(model, problem, data, training.epochs, training.learning_rate)
        validation, test = _accuracy(model, data, "val"), _accuracy(model, data, "test")
    kept = directory / "models" / argument["key"]
    models.save(model, kept)
    with steps("export"):
        onnx = _export(model, data.test.x[:problem.simulation.samples], kept / "model.onnx")
    with tempfile.TemporaryDirectory(prefix="bitwright-trial-") as scratch:
        hardware = _measure(onnx, data, problem, Path(scratch), steps)
    trained = {"unit": "fraction", "source": f"{problem.dataset.name} validation"}
    return {
        "point": point.to_json(),
        "metrics": {
            "accuracy": {"value": validation, **trained},
            "test_accuracy": {"value": test, "unit": "fraction", "source": f"{problem.dataset.name} test"},
            **hardware["metrics"],
        },
        "layers": hardware["layers"],
        "bit_exact": hardware["bit_exact"],
        "model": str(kept.relative_to(directory)),
        "seconds": {name: round(value, 2) for name, value in steps.seconds.items()},
        "cpu_seconds": round(_cpu_seconds() - start, 2),
    }


def _measure(onnx: Path, data: Dataset, problem: Problem, scratch: Path, steps: Steps) -> dict[str, Any]:
    from hw_flow import fifo, folding, frontend, rtl, synth
    from hw_flow.backends.measure import performance
    from hw_flow.backends.synthesis import GLUE

    with steps("compile"):
        program = frontend.compile_qonnx(onnx, name=TOP)
        plan = folding.for_cycles(program.graph, problem.hardware.target_cycles)
        style, kind = problem.hardware.ram_style, problem.hardware.res_type
        nodes = {name: replace(node, ram_style=style, res_type=kind) for name, node in plan.items()}
        design = rtl.emit(program.graph, nodes, fifo.depths(program.graph, nodes), scratch / "rtl", TOP)
    x = data.test.x[:problem.simulation.samples]
    measured, ties = _simulate(program, design, x.reshape(len(x), *program.input_frame).astype(np.float64), steps)
    with steps("synthesise"):
        # Trials run side by side, so each takes one process at a time.
        cost = synth.synthesise(
            design, problem.hardware.target, nodsp=frozenset(nodes) if kind == "lut" else False,
            timeout_s=problem.hardware.synth_timeout_s, workers=1,
        )
    counts = {"luts": "LUT", "ff": "FF", "bram18": "BRAM18", "dsp": "DSP"}
    figures = cost.total.figures()
    return {
        "metrics": {
            **{name: {"value": figures[name], "unit": unit, "source": cost.source} for name, unit in counts.items()},
            **{name: figure.model_dump() for name, figure in performance(measured).items() if name != "cycles"},
        },
        "layers": {name: part.figures() for name, part in {**cost.by_layer(), GLUE: cost.glue}.items()},
        "bit_exact": {"samples": len(x), "mismatches": 0, "ties": ties},
    }


def _simulate(program: Program, design: Design, frames: FloatArray, steps: Steps) -> tuple[Simulation, int]:
    """Frames ``[N, *model input]`` through Verilator, the golden model and QONNX, which must agree; also the number of ties."""
    from hw_flow.backends.simulation import StandstillError, simulate_design

    try:
        run = simulate_design(program, design, frames, steps=steps)
    except StandstillError as error:
        raise FatalError(str(error)) from error
    if run.fault is not None:
        raise FatalError(f"hardware is not bit-exact: {run.fault}")
    assert run.comparison is not None
    if not run.comparison.bit_exact:
        where = run.comparison.first_mismatch
        raise FatalError(f"hardware differs from QONNX in {run.comparison.mismatches} elements, first in {where}")
    return run, run.comparison.ties


def _export(model: Network, x: np.ndarray, path: Path) -> Path:
    """Write the QONNX file, checked against Brevitas on frames ``x``."""
    from hw_flow import export

    try:
        export.export(model, x, path)
    except FlowError as error:
        raise FatalError(str(error)) from error
    return path


def _network(problem: Problem, point: Point) -> Network:
    import models

    bits = models.BitConfig(
        point.weights, point.activations, input=point.input, weight_scale=(problem.model.weight_scale,),
        per_channel=(problem.model.per_channel,),
    )
    return models.build(problem.spec, bits, seed=problem.search.seed)


def _fit(model: Network, problem: Problem, data: Dataset, epochs: int, learning_rate: float) -> None:
    import torch

    from hw_flow.codesign.finetune import fit

    torch.set_num_threads(1)  # trials run side by side, one core each
    torch.manual_seed(problem.search.seed)
    fit(
        model, torch.from_numpy(data.train.x), torch.from_numpy(data.train.labels), epochs=epochs,
        learning_rate=learning_rate, batch_size=problem.training.batch_size, seed=problem.search.seed,
    )


def _accuracy(model: Network, data: Dataset, part: str) -> float:
    import torch

    from hw_flow.codesign.finetune import accuracy

    split = getattr(data, part)
    return round(accuracy(model, torch.from_numpy(split.x), torch.from_numpy(split.labels)), 6)


@lru_cache(maxsize=1)
def _dataset(description: str) -> Dataset:
    """The data set of a problem (given as JSON of the sections that decide it), read once a process."""
    import json

    from quant_training import load_dataset

    fields = json.loads(description)
    folder = fields["dataset"]["folder"]
    return load_dataset(
        fields["dataset"]["name"], folder=Path(folder) if folder else None, seed=fields["search"]["seed"],
        val_fraction=fields["dataset"]["val_fraction"],
    )


def _cpu_seconds() -> float:
    """Processor time of this process and of the children that ended."""
    usage = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(part.ru_utime + part.ru_stime for part in usage)
