"""Cheap stand-ins for the measurement: pure functions of the point, with a cost that looks like hardware's."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

from hw_flow.codesign import Evaluator, Problem
from hw_flow.codesign.problem import parse
from hw_flow.errors import FlowError
from models.bits import type_bits


def problem(**search: Any) -> Problem:
    """A network of three layers with five grades; ``search`` overrides trials, workers and so on."""
    return parse({
        "name": "toy", "dataset": "digits", "model": {"features": [16, 8, 8, 4]},
        "weights": ["BIPOLAR", "TERNARY", "INT3", "INT4", "INT8"], "activations": ["BIPOLAR", "UINT2", "UINT4", "UINT8"],
        "search": {"trials": 20, "workers": 2, "executor": "serial", "seed": 3, **search},
    })


def measure(argument: dict[str, Any]) -> dict[str, Any]:
    """Accuracy saturates per layer at different widths, so that mixed points beat uniform ones."""
    point = argument["point"]
    weights, activations = [[type_bits(t) for t in point[kind]] for kind in ("weights", "activations")]
    accuracy = 1.0 - sum(0.2 * 2.0 ** -(w * gain) for w, gain in zip(weights, (1, 2, 0.5), strict=True))
    accuracy -= sum(0.05 * 2.0**-a for a in activations)
    luts = sum(40 * w * a for w, a in zip(weights, [4, *activations], strict=True))
    return {
        "point": point,
        "cpu_seconds": 0.0,
        "metrics": {
            "accuracy": {"value": round(accuracy, 4), "unit": "fraction", "source": "fake"},
            "luts": {"value": luts, "unit": "LUT6", "source": "fake"},
        },
    }


def slow(argument: dict[str, Any]) -> dict[str, Any]:
    """`measure` with time to be killed in."""
    time.sleep(0.15)
    return measure(argument)


def deadly(argument: dict[str, Any]) -> dict[str, Any]:
    """Kills its worker: the first time for INT8 everywhere, every time for BIPOLAR everywhere."""
    weights = set(argument["point"]["weights"])
    marker = Path(argument["directory"]) / "killed-once"
    if weights == {"BIPOLAR"} or (weights == {"INT8"} and not marker.exists()):
        if weights == {"INT8"}:
            marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return measure(argument)


def faulty(argument: dict[str, Any]) -> dict[str, Any]:
    """Cannot measure TERNARY."""
    if "TERNARY" in argument["point"]["weights"]:
        raise FlowError("fc1: no TERNARY today")
    return measure(argument)


def hopeless(argument: dict[str, Any]) -> dict[str, Any]:
    """Cannot measure anything."""
    raise ValueError("broken\nfor good")


def mismatch(argument: dict[str, Any]) -> dict[str, Any]:
    """Finds wrong hardware."""
    from hw_flow.codesign.executor import FatalError

    raise FatalError("MVAU_1: hardware differs from QONNX in 3 of 64 samples")


def no_compiler(argument: dict[str, Any]) -> dict[str, Any]:
    """Runs on a machine without a compiler."""
    from sim.errors import SimError

    raise SimError("g++: not found")


def prepare(argument: dict[str, Any]) -> dict[str, Any]:
    """A shared checkpoint that counts how often it is made."""
    path = Path(argument["directory"]) / "prepared"
    with path.open("a") as file:
        file.write("x")
    return {"checkpoint": "none"}


FAKE = Evaluator("fake-1", measure, prepare)
SLOW = Evaluator("fake-1", slow, prepare)
