"""From a QONNX file to the first verified frames and the resource table: the seconds of each step, cold and again.

Runs the command line as a user would, with an empty cache of its own. Needs BITWRIGHT_MODELS; without it a digits network is
trained.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import results

_LIMIT_S = 1800


def bitwright(arguments: list[str], cache: Path) -> tuple[dict[str, Any], float]:
    """What ``bitwright ... --json`` printed, and the seconds of the whole process."""
    begin = time.perf_counter()
    done = subprocess.run(
        [str(Path(sys.executable).parent / "bitwright"), *arguments, "--json"], env={**os.environ, "BITWRIGHT_CACHE": str(cache)},
        capture_output=True, text=True, timeout=_LIMIT_S, check=False,
    )
    seconds = time.perf_counter() - begin
    if done.returncode != 0:
        sys.exit(f"bitwright {' '.join(arguments)}: exit code {done.returncode}: {done.stderr.strip()[-500:]}")
    return json.loads(done.stdout), seconds


def model_arguments(scratch: Path) -> list[str]:
    """The QONNX file and its options."""
    if "BITWRIGHT_MODELS" in os.environ:
        model = Path(os.environ["BITWRIGHT_MODELS"]) / "zoo" / "TFC_1W1A.onnx"
        return [str(model), "--target-cycles", "64", "--input-type", "UINT8", "--input-scale", "1/255"]
    from hw_flow import api

    api.train(output=scratch / "train", model="digits", bits="w2a2", data="digits", epochs=5)
    return [api.export(scratch / "train", scratch / "digits.onnx")["model"], "--target-cycles", "64"]


def main() -> int:
    """Measure, save, print."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        given = model_arguments(scratch)
        cache, build = scratch / "cache", ["build", *given, "--output", str(scratch / "build")]
        made, cold_build = bitwright(build, cache)
        assert not made["reused"]
        simulated, cold_simulation = bitwright(["simulate", str(scratch / "build"), "--samples", "100"], cache)
        _, cold_synthesis = bitwright(["synth", str(scratch / "build"), "--target", "xc7"], cache)
        again, warm_build = bitwright(build, cache)
        assert again["reused"]
        _, warm_simulation = bitwright(["simulate", str(scratch / "build"), "--samples", "100"], cache)
        _, warm_synthesis = bitwright(["synth", str(scratch / "build"), "--target", "xc7"], cache)
    rows = [
        ["build: QONNX to SystemVerilog", cold_build, warm_build],
        ["simulate: compile the simulator, 100 frames, compare with QONNX", cold_simulation, warm_simulation],
        ["synth: resource table on xc7", cold_synthesis, warm_synthesis],
    ]
    seconds = simulated.get("seconds", {})
    results.save(
        "steps", title="From a QONNX file to verified frames and a resource table", command="python benchmarks/steps.py",
        columns=["step (whole process)", "cold [s]", "again, nothing changed [s]"], rows=rows,
        notes=[f"{Path(given[0]).name}, 64 cycles a frame, two cores; the simulator's share of the cold run: "
               + ", ".join(f"{name} {value:.1f} s" for name, value in seconds.items() if isinstance(value, float)) + ".",
               "The first run on a machine also compiles Verilator's run-time once; it is included."],
    )
    print(results.render())
    return 0


if __name__ == "__main__":
    sys.exit(main())
