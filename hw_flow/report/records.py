"""What verbs leave in a build directory for the report: one JSON file each, figures with their source."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from hw_flow.errors import FlowError
from hw_flow.report.schema import Figure, Resources, Verification
from hw_flow.storage import write_text

_SIMULATION = Path("sim") / "simulation.json"
_Record = TypeVar("_Record", bound=BaseModel)


class SimulationRecord(BaseModel):
    """Outcome of the last simulation of a build.

    ``performance`` holds ``interval_cycles``, ``latency_cycles`` and ``cycles``; ``streams`` the counters of every stream.
    """

    model_config = ConfigDict(extra="forbid")

    key: str
    performance: dict[str, Figure]
    streams: dict[str, dict[str, Figure]]
    verification: Verification | None
    accuracy: dict[str, Figure] = {}
    seconds: dict[str, float]


class SynthesisRecord(BaseModel):
    """Outcome of one synthesis of a build."""

    model_config = ConfigDict(extra="forbid")

    key: str
    resources: Resources
    seconds: dict[str, float]


def save_simulation(directory: Path, record: SimulationRecord) -> None:
    """Write ``sim/simulation.json``."""
    write_text(directory / _SIMULATION, record.model_dump_json(indent=2) + "\n")


def load_simulation(directory: Path, key: str) -> SimulationRecord | None:
    """The last simulation of the build with this key, or None."""
    record = _load(directory / _SIMULATION, SimulationRecord)
    return record if record is not None and record.key == key else None


def save_synthesis(directory: Path, record: SynthesisRecord) -> None:
    """Write ``synth/<target>.json``."""
    write_text(directory / "synth" / f"{record.resources.target}.json", record.model_dump_json(indent=2) + "\n")


def load_syntheses(directory: Path, key: str) -> dict[str, SynthesisRecord]:
    """Syntheses of the build with this key, by target."""
    records = [_load(path, SynthesisRecord) for path in sorted((directory / "synth").glob("*.json"))]
    return {record.resources.target: record for record in records if record is not None and record.key == key}


def _load(path: Path, model: type[_Record]) -> _Record | None:
    try:
        return model.model_validate_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise FlowError(f"{path}: cannot read ({error.strerror}); check its permissions") from error
    except ValidationError as error:
        raise FlowError(f"{path}: damaged ({error.errors()[0]['msg']}); delete it and run the step again") from error


def plain(values: dict[str, Figure]) -> dict[str, Any]:
    """Values without unit and source, for output that states them once."""
    return {name: figure.value for name, figure in values.items()}
