"""How long FINN's own transformations take from QONNX to estimates, beside the FINN back end's: a child of finn_backend.py.

``python benchmarks/finn_steps.py BUILD ANSWER.json`` converts the model of a build again, both ways in one process, and writes
``{"ours": seconds, "finn": seconds, "error": null}``; seconds of processor time, without the import of FINN. The back end goes
first, so that what Python loads on the way counts against it. ``error`` says why FINN's default steps refuse the model.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from hw_flow.backends.finn.inside.start import start
from hw_flow.backends.finn.request import Request


def timed(work: Callable[[], Any]) -> float:
    """Processor seconds that ``work`` takes."""
    begin = time.process_time()
    work()
    return time.process_time() - begin


def backend(request: Request) -> None:
    """The back end's way to the estimates."""
    from hw_flow.backends.finn.inside import convert

    cfg = convert.configuration(request)
    convert.reports(convert.fold(convert.hardware_graph(request, cfg), request, cfg), cfg)


def own_steps(request: Request, model: Any) -> None:
    """FINN's own steps for estimates, as its builder runs them."""
    from finn.builder import build_dataflow_steps as finn
    from finn.builder.build_dataflow_config import DataflowBuildConfig, DataflowOutputType, estimate_only_dataflow_steps

    fps = None if request.target_cycles is None else round(1e9 / request.clock_ns / request.target_cycles)
    cfg = DataflowBuildConfig(
        output_dir=str(request.output), synth_clk_period_ns=request.clock_ns, fpga_part=request.part, target_fps=fps,
        generate_outputs=[DataflowOutputType.ESTIMATE_REPORTS], folding_config_file=request.folding_file,
        mvau_wwidth_max=request.mvau_wwidth_max, save_intermediate_models=True, auto_fifo_depths=False)
    (request.output / "report").mkdir(parents=True, exist_ok=True)
    for name in estimate_only_dataflow_steps:
        model = getattr(finn, name)(model, cfg)


def main() -> None:
    """Measure both and write the answer."""
    directory, answer = Path(sys.argv[1]), Path(sys.argv[2])
    request = Request.load(directory / "finn" / "request.json").inside(directory)
    with tempfile.TemporaryDirectory() as scratch:
        start(Path(scratch) / "scratch")
        from finn.builder import build_dataflow_steps  # noqa: F401 - loaded before anything is timed
        from qonnx.core.modelwrapper import ModelWrapper

        from hw_flow.backends.finn.inside.prepare import classified, declared, one_frame

        model = declared(one_frame(ModelWrapper(str(request.model))), request)
        if request.classify:
            model = classified(model)
        told: dict[str, Any] = {"error": None}
        told["ours"] = timed(lambda: backend(replace(request, output=Path(scratch) / "ours")))
        try:
            told["finn"] = timed(lambda: own_steps(replace(request, output=Path(scratch) / "finn"), model))
        except Exception as error:  # noqa: BLE001 - FINN raises anything, and that is the answer
            told["error"] = f"{type(error).__name__}: {' '.join(str(error).split())}"
    answer.write_text(json.dumps(told) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
