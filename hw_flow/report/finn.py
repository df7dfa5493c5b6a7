"""The report under FINN's file names and keys, so that scripts written for FINN keep working.

Files appear only where we have the figures. ``estimate_*`` files hold what is computed from the graph;
``rtlsim_performance.json`` comes from Verilator; ``post_synth_resources.json`` from Yosys (FINN's holds Vivado's), which
the extra file ``sources.json`` says beside them. FINN's latency estimate is the sum of all layers; ours is the same sum.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hw_flow.report.schema import Layer, Report
from hw_flow.storage import write_json

# FINN states throughput at a clock; without a place and route we state it at its default.
CLOCK_MHZ = 100.0


def write(report: Report, directory: Path, folding: dict[str, Any]) -> None:
    """Write FINN's report files into ``directory``.

    Parameters
    ----------
    folding : content of the folding JSON in use.
    """
    files: dict[str, dict[str, Any]] = {
        "estimate_layer_cycles.json": {layer.name: layer.figures["cycles"].value for layer in report.layers},
        "estimate_network_performance.json": _estimates(report),
        "op_and_param_counts.json": _counts(report),
        "applied_folding_config.json": folding,
        "auto_folding_config.json": folding,
        "final_hw_config.json": _final(report, folding),
        "fifo_sizing.json": _fifos(report),
        "time_per_step.json": {**report.seconds, "total_build_time": round(sum(report.seconds.values()), 3)},
    }
    sources = dict.fromkeys(files, "model") | {"time_per_step.json": "wall clock"}
    resources = next(iter(report.resources.values()), None)
    if resources is not None:
        source = f"{next(iter(resources.total.values())).source} on {resources.target}"
        rows = {name: _row({key: figure.value for key, figure in figures.items()}) for name, figures in resources.layers.items()}
        total = _row({key: figure.value for key, figure in resources.total.items()})
        files["post_synth_resources.json"] = {"(top)": total, **rows}
        files["estimate_layer_resources.json"] = {
            **{name: _estimate_row(row) for name, row in rows.items()}, "total": _estimate_row(total)}
        sources |= {"post_synth_resources.json": source, "estimate_layer_resources.json": source}
    if "interval_cycles" in report.performance:
        files["rtlsim_performance.json"] = _measured(report)
        sources["rtlsim_performance.json"] = report.performance["interval_cycles"].source
    for name in ("post_synth_resources.json", "estimate_layer_resources.json", "rtlsim_performance.json"):
        if name not in files:
            (directory / name).unlink(missing_ok=True)
    for name, content in {**files, "sources.json": sources}.items():
        write_json(directory / name, content)


def _estimates(report: Report) -> dict[str, Any]:
    cycles = {layer.name: int(layer.figures["cycles"].value) for layer in report.layers}
    slowest = max(cycles, key=lambda name: cycles[name])
    path = sum(cycles.values())
    return {
        "critical_path_cycles": path, "max_cycles": cycles[slowest], "max_cycles_node_name": slowest,
        "estimated_throughput_fps": CLOCK_MHZ * 1e6 / cycles[slowest], "estimated_latency_ns": path * 1e3 / CLOCK_MHZ,
    }


def _depths(report: Report) -> dict[str, int]:
    return {stream.name: int(stream.figures["depth"].value) for stream in report.streams}


def _final(report: Report, folding: dict[str, Any]) -> dict[str, Any]:
    """The folding with the depths of the FIFOs at each node's inputs and outputs, 0 at the edge of the accelerator."""
    result = {}
    for name, values in folding.items():
        before = [int(stream.figures["depth"].value) for stream in report.streams if stream.reader == name]
        after = [int(stream.figures["depth"].value) for stream in report.streams if stream.producer == name]
        ends = {"inFIFODepths": before or [0], "outFIFODepths": after or [0]}
        result[name] = {**values, **ends} if any(layer.name == name for layer in report.layers) else values
    return result


def _fifos(report: Report) -> dict[str, Any]:
    """FINN+'s keys: depths in beats, sizes in bits; effective is what is built, at least two beats."""
    wanted = {name: depth for name, depth in _depths(report).items() if depth}
    widths = {stream.name: stream.width for stream in report.streams}
    sizes = {name: depth * widths[name] for name, depth in wanted.items()}
    built = {name: max(2, depth) * widths[name] for name, depth in wanted.items()}
    return {
        "fifo_depths": wanted, "fifo_sizes": sizes, "fifo_sizes_effective": built,
        "impl_style": dict.fromkeys(wanted, "rtl"), "ram_style": dict.fromkeys(wanted, "distributed"),
        "total_fifo_size_kiB": sum(sizes.values()) / 8192, "total_fifo_size_effective_kiB": sum(built.values()) / 8192,
    }


def _counts(report: Report) -> dict[str, dict[str, int]]:
    counts = {layer.name: _layer_counts(layer) for layer in report.layers}
    total: dict[str, int] = {}
    for values in counts.values():
        for name, value in values.items():
            total[name] = total.get(name, 0) + value
    return {**counts, "total": total}


def _layer_counts(layer: Layer) -> dict[str, int]:
    result: dict[str, int] = {}
    if "macs" in layer.figures:
        weights, activations = _bits(str(layer.folding["weights"])), _bits(str(layer.folding["activations"]))
        result[f"op_mac_{activations}bx{weights}b"] = int(layer.figures["macs"].value)
        result[f"param_weight_{weights}b"] = int(layer.figures["weight_bits"].value) // weights
    if "thresholds" in layer.figures:
        accumulator = _bits(str(layer.folding.get("accumulator", layer.folding.get("activations", "INT32"))))
        result[f"param_threshold_{accumulator}b"] = int(layer.figures["thresholds"].value)
    return result


def _bits(dtype: str) -> int:
    from qonnx.core.datatype import DataType

    return int(DataType[dtype].bitwidth())


def _row(figures: dict[str, int | float]) -> dict[str, int | float]:
    """Vivado's columns; Yosys counts block RAM in units of 18 kbit and knows no pairing into 36.

    Lattice's memories are of other sizes, so they have columns of their own.
    """
    return {
        "LUT": figures.get("luts", figures.get("gates", 0)), "SRL": figures.get("srl", 0), "FF": figures.get("ff", 0),
        "BRAM_36K": 0, "BRAM_18K": figures.get("bram18", 0), "URAM": figures.get("uram", 0), "DSP": figures.get("dsp", 0),
        **{name: figures[key] for name, key in (("EBR", "ebr"), ("SPRAM", "spram")) if key in figures},
    }


def _estimate_row(row: dict[str, int | float]) -> dict[str, int | float]:
    return {"BRAM_18K": row["BRAM_18K"], "LUT": row["LUT"], "URAM": row["URAM"], "DSP": row["DSP"]}


def _measured(report: Report) -> dict[str, int | float]:
    interval = float(report.performance["interval_cycles"].value)
    cycles = report.performance["cycles"].value
    runtime_ms = float(cycles) / (CLOCK_MHZ * 1e3)
    samples = report.verification.samples if report.verification is not None else 0
    return {
        "cycles": cycles, "latency_cycles": report.performance["latency_cycles"].value, "interval_cycles": interval, "N": samples,
        "runtime[ms]": runtime_ms, "throughput[images/s]": samples * 1e3 / runtime_ms if runtime_ms else 0.0,
        "fclk[mhz]": CLOCK_MHZ, "stable_throughput[images/s]": CLOCK_MHZ * 1e6 / interval,
    }
