"""The report of a build: one versioned schema in which every figure says where it comes from."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hw_flow.errors import FlowError
from hw_flow.storage import write_text

SCHEMA_VERSION: Literal["1.0"] = "1.0"


# What a summary calls all parts of a kind that are no nodes.
KIND_LABELS = {"fifo": "FIFOs", "dwc": "width converters", "fork": "forks", "glue": "glue"}


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Figure(_Strict):
    """A number with its unit and source.

    Attributes
    ----------
    value : the number.
    unit : ``cycles``, ``LUT6``, ``FF``, ``bits``, ``s``, ``%``, ``1`` (a count or ratio), ...
    source : ``model`` (computed from the graph), or tool and version: ``yosys-0.70``, ``verilator-5.048``.
    """

    value: int | float
    unit: str
    source: str


class TensorInfo(_Strict):
    """A tensor at the accelerator's edge: shape without the batch, channels last."""

    name: str
    shape: list[int]
    dtype: str


class HostOpInfo(_Strict):
    """An operator that stays on the host, and why."""

    name: str
    op_type: str
    reason: str
    side: Literal["before", "after"]


class Layer(_Strict):
    """A node: what it is, how it is folded, how much it computes.

    ``figures`` holds ``cycles`` (frame interval of this node alone), ``macs``, ``weights`` (bits) and ``thresholds``.
    """

    name: str
    kind: str
    sources: list[str]
    folding: dict[str, int | str]
    figures: dict[str, Figure]


class Stream(_Strict):
    """A stream between nodes; ``figures``: ``depth``, and from simulation ``transfers``, ``stalls``, ``starves``, ``peak``.

    ``name`` is that of the tensor, or ``tensor@node`` where several nodes read it. ``producer`` and ``reader`` are nodes;
    None stands for the edge of the accelerator.
    """

    name: str
    producer: str | None = None
    reader: str | None = None
    lanes: int
    width: int
    figures: dict[str, Figure]


class Resources(_Strict):
    """Synthesis for one target.

    Attributes
    ----------
    target : xc7, xcup, ecp5, ice40 or generic.
    total : the sum of all layers.
    layers : every node, FIFO and converter on its own, and ``glue``, the top without them.
    kinds : ``mvau``, ``fifo``, ``dwc``, ... by layer name.
    flat : the whole top flattened and synthesised in one run, if asked for; optimisation across layers makes it differ.
    """

    target: str
    total: dict[str, Figure]
    layers: dict[str, dict[str, Figure]]
    kinds: dict[str, str]
    flat: dict[str, Figure] | None = None


class Verification(_Strict):
    """Outcome of comparing the simulated hardware with the golden model and with QONNX execution.

    Attributes
    ----------
    bit_exact : hardware equals the golden model, and that equals QONNX but for ties.
    mismatches : samples that differ in any element, of ``samples``.
    mismatched_elements : elements that differ, of all tensors compared.
    ties : values that float32 rounding may put on either side of a boundary.
    first_mismatch : ONNX node where the first difference shows.
    hardware_fault : where hardware leaves the golden model (always a bug), or None.
    stalled_pass : whether a pass with random stalls gave the same outputs; None if there was none.
    decisions_agree : samples whose decision (largest output, or the output itself) equals that of QONNX's execution of the
        whole model, where ties of inner layers may have had consequences.
    """

    bit_exact: bool
    samples: int
    mismatches: int
    ties: int
    first_mismatch: str | None
    hardware_fault: str | None = None
    stalled_pass: bool | None = None
    mismatched_elements: int = 0
    decisions_agree: int | None = None


class Report(_Strict):
    """All that is known of one build.

    ``performance`` holds ``interval_cycles_estimate``/``latency_cycles_estimate`` (source ``model``) and, once simulated,
    ``interval_cycles``/``latency_cycles`` (source ``verilator-...``). ``accuracy`` and ``training`` come from a run.
    """

    schema_version: Literal["1.0"] = SCHEMA_VERSION
    name: str
    backend: str
    created: str
    tools: dict[str, str]
    model_file: str
    model_sha256: str
    inputs: list[TensorInfo]
    outputs: list[TensorInfo]
    host_ops: list[HostOpInfo]
    notes: list[str]
    layers: list[Layer]
    streams: list[Stream]
    performance: dict[str, Figure]
    resources: dict[str, Resources] = Field(default_factory=dict)
    accuracy: dict[str, Figure] = Field(default_factory=dict)
    verification: Verification | None = None
    seconds: dict[str, float] = Field(default_factory=dict)

    def save(self, directory: Path) -> Path:
        """Write ``report.json`` atomically; returns its path."""
        path = directory / "report.json"
        write_text(path, self.model_dump_json(indent=2) + "\n")
        return path

    @classmethod
    def load(cls, directory: Path) -> Report:
        """Read ``report.json``; FlowError if it is missing or of another version."""
        path = directory / "report.json"
        try:
            return cls.model_validate_json(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise FlowError(f"{path}: cannot read ({error.strerror}); run `bitwright build` first") from error
        except UnicodeDecodeError as error:
            raise FlowError(f"{path}: not a report of version {SCHEMA_VERSION} (no UTF-8); build again") from error
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            raise FlowError(f"{path}: not a report of version {SCHEMA_VERSION} ({where}: {first['msg']}); build again") from error
