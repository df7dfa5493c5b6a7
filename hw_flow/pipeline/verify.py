"""Verify: build any QONNX file, run it cycle by cycle, compare with QONNX execution."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from hw_flow import api, backends
from hw_flow.backends import BuildOptions, inputs, measure
from hw_flow.backends.simulation import check_profile
from hw_flow.preflight import check_tools
from hw_flow.steps import Steps


class VerifyResult(BaseModel):
    """What ``bitwright verify --json`` prints.

    Attributes
    ----------
    bit_exact : hardware equals the golden model, and that equals QONNX execution but for ties.
    samples, mismatches : frames run, frames that differ in any element.
    mismatched_elements : elements that differ, of all tensors compared.
    ties : values that float32 rounding may put on either side of a rounding boundary.
    decisions_agree : frames whose decision equals that of QONNX's execution of the whole model.
    first_mismatch : ONNX node where the first difference shows, or None.
    hardware_fault : where hardware leaves the golden model (a bug), or None.
    stalled_pass : whether the pass with random stalls gave the same outputs; None without ``--stalls``.
    interval_cycles : steady cycles between frames, measured without stalls; None with a single frame.
    latency_cycles : first input beat to last output beat of the first frame, counted inclusively.
    interval_cycles_estimate : of the slowest node, from the graph. All of these are None where nothing counts cycles (hls4ml).
    source : of the measured cycles.
    host_ops : what stays on the host: ``name``, ``op_type``, ``reason``, ``side``.
    folding : PE and SIMD by node.
    seconds : wall clock by step, and ``total``.
    """

    model_config = ConfigDict(extra="forbid")

    model: str
    bit_exact: bool
    samples: int
    mismatches: int
    mismatched_elements: int
    ties: int
    decisions_agree: int | None
    first_mismatch: str | None
    hardware_fault: str | None
    stalled_pass: bool | None
    interval_cycles: int | None
    latency_cycles: int | None
    cycles: int | None
    interval_cycles_estimate: int | None
    source: str
    host_ops: list[dict[str, str]]
    folding: dict[str, dict[str, Any]]
    notes: list[str]
    seconds: dict[str, float]


def verify(
    model: Path, *, folding: Path | None = None, target_cycles: int | None = None, unfold: bool = False,
    fps: float | None = None, clock_mhz: float | None = None, target_latency: int | None = None,
    budget_luts: int | None = None, budget_brams: int | None = None, budget_dsps: int | None = None,
    pipeline_levels: int | None = None, frames: Path | None = None, samples: int = 16, seed: int = 0, stalls: bool = False,
    input_type: str | None = None, input_scale: str | None = None, profile: str = "check",
    output: Path | None = None, backend: str = "rtl", settings: Path | None = None, force: bool = False,
    steps: Steps | None = None,
) -> VerifyResult:
    """Build ``model``, simulate it without stalls and, on request, with them, and compare all outputs.

    Parameters
    ----------
    frames : ``.npy`` file; None draws ``samples`` frames with ``seed``, extremes among them.
    profile : how to build the simulator: ``check`` (assertions, three start values) or ``fast`` (neither).
    output : keep the build here; None keeps it in the cache, so that a second call needs no build.

    Raises
    ------
    FlowError, SimError : the model or the inputs cannot be used; one line.
    """
    from hw_flow import folding as foldings

    steps = steps or Steps()
    options = BuildOptions(
        input_type=input_type, input_scale=input_scale, folding=folding, target_cycles=target_cycles, unfold=unfold,
        fps=fps, clock_mhz=clock_mhz, target_latency=target_latency, budget_luts=budget_luts, budget_brams=budget_brams,
        budget_dsps=budget_dsps, pipeline_levels=pipeline_levels, settings=settings, force=force)
    engine = backends.get(backend)
    if backend in backends.CYCLE_ACCURATE:
        check_profile(profile)
        check_tools(synthesis=False)
    if output is None:
        build = api.build_cached(model, options, backend=backend, steps=steps)
    else:
        build = engine.build(model, output, options, steps)
    x = inputs.frames(build.program, frames, samples, seed)
    run = engine.simulate(build, x, stalls=False, seed=seed, trace=None, compare=True, profile=profile, steps=steps)
    stalled = None
    if stalls:
        stalled = engine.simulate(
            build, x, stalls=True, seed=seed, trace=None, compare=False, profile=profile, steps=steps)
    outcome = measure.verification(run, len(x), stalled)
    assert outcome is not None
    seconds = {**steps.seconds, "total": round(sum(steps.seconds.values()), 3)}
    measure.record(build, run, outcome, dict(steps.seconds))
    plan = build.folding if backend in backends.CYCLE_ACCURATE else None
    return VerifyResult(
        model=str(model), **outcome.model_dump(),
        interval_cycles=run.interval_cycles, latency_cycles=run.latency_cycles, cycles=run.cycles,
        interval_cycles_estimate=foldings.interval_cycles(build.graph, plan) if plan is not None else None, source=run.source,
        host_ops=[dict(op) for op in build.stamp["host_ops"]],
        folding={name: {"PE": own.pe, "SIMD": own.simd} for name, own in plan.items()} if plan is not None else {},
        notes=list(build.notes), seconds=seconds,
    )
