"""The digits search in full: front, best uniform configurations, seconds. Starts from an empty folder and an empty cache."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import results

PROBLEM = Path(__file__).parent / "search_digits.yaml"
PICTURE = results.ROOT / "docs" / "images" / "search_digits.png"
_LIMIT_S = 3600


def main() -> int:
    """Measure, save, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, help="keep the search here; default: a temporary folder")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = args.output or Path(name) / "search"
        environment = {**os.environ, "BITWRIGHT_CACHE": str(Path(name) / "cache")}
        program = str(Path(sys.executable).parent / "bitwright")
        command = [program, "search", "run", str(PROBLEM), "--output", str(folder), "--json"]
        begin = time.perf_counter()
        done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, timeout=_LIMIT_S, check=False)
        seconds = time.perf_counter() - begin
        if done.returncode != 0:
            return done.returncode
        outcome = json.loads(done.stdout)
        PICTURE.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(folder / "front.png", PICTURE)
    save(outcome, seconds)
    print(results.render())
    return 0


def save(outcome: dict[str, object], seconds: float) -> None:
    """Keep the front and the uniform configurations as one table."""
    front, uniform = outcome["front"], outcome["uniform"]
    assert isinstance(front, list)
    assert isinstance(uniform, list)
    labels = {row["label"] for row in front}
    rows = [
        [row["label"], kind, 100 * row["accuracy"], 100 * row["metrics"]["test_accuracy"]["value"], row["luts"],
         row["metrics"]["latency_cycles"]["value"], "; ".join(row.get("dominated_by") or ["no"])]
        for kind, group in (("front", front), ("uniform", [row for row in uniform if row["label"] not in labels]))
        for row in group
    ]
    counts = outcome["counts"]
    results.save(
        "search_digits", title="Search over bit widths on digits", command="python benchmarks/search_digits.py",
        columns=["input | weights | activations", "is", "validation accuracy [%]", "test accuracy [%]", "LUT, xc7 [yosys]",
                 "latency [cycles, verilator]", "dominated by"],
        rows=rows,
        notes=[f"{seconds / 60:.1f} minutes in all on two cores, from an empty cache; "
               f"{counts['measured']} trials measured, {counts['failed']} failed, "
               f"{counts['evaluated_more_than_once']} measured twice.",
               "B BIPOLAR, T TERNARY, i INT, u UINT. Each was trained, exported, checked against Brevitas, built, simulated"
               " bit-exact and synthesised.",
               f"Hypervolume {outcome['hypervolume']}."],
    )


if __name__ == "__main__":
    sys.exit(main())
