"""``python -m hw_flow.backends.finn.inside VERB REQUEST.json``: the child process.

It writes ``answer.json`` beside the request: ``{"seconds": {...}}``, or ``{"error": one line}``.
"""

from __future__ import annotations

import json
import sys
import time
import traceback
from pathlib import Path
from typing import Any

from hw_flow.backends.finn.inside.explain import told
from hw_flow.backends.finn.inside.start import start


def main() -> int:
    """Do what is asked; exit code 1 if FINN cannot."""
    verb, file = sys.argv[1], Path(sys.argv[2])
    folder = file.parent
    begin = time.perf_counter()
    start(folder / "scratch")
    answer: dict[str, Any] = {"seconds": {}}
    try:
        _VERBS[verb](file, answer)
    except Exception as error:  # noqa: BLE001 - FINN raises anything; the log has the traceback, the answer the line
        traceback.print_exc()
        answer["error"] = str(error) if type(error).__name__ == "ConversionError" else told(error)
    answer["seconds"]["total"] = round(time.perf_counter() - begin, 3)
    (folder / "answer.json").write_text(json.dumps(answer, indent=2) + "\n", encoding="utf-8")
    return 1 if "error" in answer else 0


def _convert(file: Path, answer: dict[str, Any]) -> None:
    from hw_flow.backends.finn.request import Request

    request = Request.load(file)
    seconds = answer["seconds"]
    begin = time.perf_counter()
    from hw_flow.backends.finn.inside import convert, describe, generate

    cfg = convert.configuration(request)
    from finn.builder import build_dataflow_steps  # noqa: F401 - loaded here so that its time is counted apart

    seconds["import"] = round(time.perf_counter() - begin, 3)
    begin = time.perf_counter()
    model = convert.hardware_graph(request, cfg)
    seconds["convert"] = round(time.perf_counter() - begin, 3)
    begin = time.perf_counter()
    model = convert.reports(convert.fold(model, request, cfg), cfg)
    seconds["fold"] = round(time.perf_counter() - begin, 3)
    model.save(str(request.output / "hardware.onnx"))
    describe.describe(model, request.output)
    begin = time.perf_counter()
    answer["notes"] = convert.remarks(model, request)
    answer["code"] = generate.generate(model, request)
    seconds["generate"] = round(time.perf_counter() - begin, 3)
    begin = time.perf_counter()
    answer |= generate.project(model, request, cfg)
    seconds["project"] = round(time.perf_counter() - begin, 3)


def _execute(file: Path, answer: dict[str, Any]) -> None:
    from hw_flow.backends.finn.inside import execute

    begin = time.perf_counter()
    from finn.builder import build_dataflow_steps  # noqa: F401 - registers FINN's operators

    answer["seconds"]["import"] = round(time.perf_counter() - begin, 3)
    execute.execute(file)


def _estimate(file: Path, answer: dict[str, Any]) -> None:
    from hw_flow.backends.finn.inside import estimate

    begin = time.perf_counter()
    from finn.builder import build_dataflow_steps  # noqa: F401 - loaded here so that its time is counted apart

    answer["seconds"]["import"] = round(time.perf_counter() - begin, 3)
    estimate.run(file, answer)


_VERBS = {"convert": _convert, "execute": _execute, "estimate": _estimate}

if __name__ == "__main__":
    sys.exit(main())
