"""Synthesis of a build: every layer on its own and the whole top, as figures with their source."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from hw_flow.backends.protocol import Build
from hw_flow.errors import FlowError
from hw_flow.report.records import SynthesisRecord, save_synthesis
from hw_flow.report.schema import Figure, Resources
from hw_flow.steps import Steps

if TYPE_CHECKING:
    from hw_flow.synth import Target

GLUE = "glue"
_UNITS = {
    "luts": "LUT", "ff": "FF", "carry": "CARRY", "muxf": "MUXF", "lutram": "LUT", "srl": "LUT", "bram18": "BRAM18", "ebr": "EBR",
    "spram": "SPRAM", "uram": "URAM", "dsp": "DSP", "gates": "gates", "transistors": "transistors", "area": "um2",
}


def synthesise(build: Build, target: str, *, nodsp: bool = False, flatten: bool = False, steps: Steps) -> Resources:
    """Run Yosys for ``target`` on the design of ``build`` and record the outcome in its directory.

    Layers whose folding says ``resType`` ``lut`` get no DSP.

    Raises
    ------
    FlowError : unknown target, Yosys is missing, stopped or took too long.
    """
    from hw_flow import synth

    known = check_target(target)
    own = Steps()
    without = {name for name, folded in build.folding.items() if folded.res_type == "lut"}
    with steps(f"synthesise {target}", own_display=True), own(f"synthesise {target}"):
        result = synth.synthesise(build.design, known, nodsp=nodsp or without, flatten=flatten, progress=steps.watched)
    layers = {name: figures(part.figures(), result.source) for name, part in result.by_layer().items()}
    kinds = {layer: result.kinds[instance] for instance, layer in result.layer_of.items()}
    resources = Resources(
        target=target, total=figures(result.total.figures(), result.source),
        layers={**layers, GLUE: figures(result.glue.figures(), result.source)}, kinds={**kinds, GLUE: GLUE},
        flat=figures(result.flat.figures(), result.source) if result.flat is not None else None,
    )
    save_synthesis(build.directory, SynthesisRecord(key=build.key, resources=resources, seconds=own.seconds))
    return resources


def check_target(target: str) -> Target:
    """``target`` if Yosys knows it; FlowError lists those it knows."""
    from hw_flow.synth import TARGETS

    if target not in TARGETS:
        raise FlowError(f"synthesis target '{target}' is not known; choose one of {', '.join(TARGETS)}")
    return target


def figures(values: Mapping[str, float], source: str) -> dict[str, Figure]:
    """Counts of a synthesis result with unit and source."""
    return {name: Figure(value=value, unit=_UNITS.get(name, "1"), source=source) for name, value in values.items()}
