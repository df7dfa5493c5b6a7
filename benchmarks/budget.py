"""Budgets of LUTs kept by measurement: networks folded for as many frames as fit, then synthesised.

    python benchmarks/budget.py [--only NETWORK]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import finn_conv
import results

from hw_flow import api, cost, folding
from hw_flow.errors import FlowError

NETWORKS = {"digits": ("w2a2", (600, 1200, 2400)), "jet": ("w4a4", (2000, 4000, 8000)),
            "digits_cnn": ("w2a2", (1200, 2400, 4800))}


def rows_of(name: str, place: Path) -> list[list[object]]:
    """A row for each budget: what the model expected, and what Yosys counts with products kept out of DSPs."""
    bits, budgets = NETWORKS[name]
    model = place / f"{name}.onnx"
    finn_conv.export(finn_conv.Case(name, name, bits, "", 0), model)
    rows: list[list[object]] = []
    for budget in budgets:
        try:
            build = api.build(model, place / f"{name}_{budget}", input_type="UINT8", input_scale="1/255", budget_luts=budget,
                              budget_dsps=0)
        except FlowError as error:
            print(f"{name}, {budget} LUTs: {error}", file=sys.stderr)
            rows.append([name, bits, budget, "refused", "", "", ""])
            continue
        expected = round(cost.total(build.graph, build.folding).luts)
        total = int(api.synth(build, nodsp=True).total["luts"].value)
        interval = folding.interval_cycles(build.graph, build.folding)
        rows.append([name, bits, budget, expected, total, total / budget, interval])
        print(*rows[-1], file=sys.stderr)
    return rows


def main() -> int:
    """Measure, save, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", choices=list(NETWORKS), help="measure this one alone")
    only = parser.parse_args().only
    with tempfile.TemporaryDirectory() as scratch:
        rows = [row for name in NETWORKS if not only or name in only for row in rows_of(name, Path(scratch))]
    worst = max((float(str(row[5])) for row in rows if row[5] != ""), default=0.0)
    results.save(
        "budget", title="Budgets of LUTs", command="python benchmarks/budget.py",
        columns=("network", "bits", "budget [LUT6]", "model [LUT6]", "yosys-0.70 [LUT6]", "yosys / budget",
                 "interval [cycles, model]"),
        rows=rows, notes=[f"Whole accelerators with FIFOs, converters and the top. Largest of yosys / budget: {worst:.2f}."],
    )
    print(results.render())
    return 0


if __name__ == "__main__":
    sys.exit(main())
