"""Rounds of a cooperative pruning: what was built, and the note of it on disk."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hw_flow.codesign.forecast import Objective
from hw_flow.codesign.meter import Measured
from hw_flow.errors import FlowError
from hw_flow.storage import write_json

SUMMARY = "cooperative.json"


@dataclass(frozen=True, eq=False)
class Round:
    """One network that was built.

    Attributes
    ----------
    number : 0 for the network given.
    accuracy, test_accuracy : on the validation and the test part, 0 to 1.
    measured : its hardware.
    shape : its shape, plain values.
    accepted : whether it was kept.
    bottleneck : layer with most LUTs, or most cycles.
    step : share of the objective that the round was to remove; None for the network given.
    """

    number: int
    accuracy: float
    test_accuracy: float
    measured: Measured
    shape: dict[str, Any]
    accepted: bool
    bottleneck: int
    step: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {**vars(self), "measured": self.measured.to_json()}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Round:
        """From `to_json`."""
        return cls(**{**values, "measured": Measured.from_json(values["measured"])})


def read_rounds(directory: Path, key: str) -> list[Round]:
    """Rounds that an interrupted run noted in ``directory``; begins a new note if there is none.

    Raises
    ------
    FlowError : the note is damaged, or of a run with another key.
    """
    path = directory / SUMMARY
    try:
        saved = json.loads(path.read_text(encoding="utf-8"))
        if saved["key"] != key:
            raise FlowError(f"{directory}: holds a cooperative pruning of another network, data or settings; give another folder")
        return [Round.from_json(one) for one in saved["rounds"]]
    except FileNotFoundError:
        write_rounds(directory, key, [])
        return []
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise FlowError(f"{path}: damaged ({error}); remove the folder to begin again") from error


def write_rounds(directory: Path, key: str, rounds: Sequence[Round]) -> None:
    """Note ``rounds``."""
    write_json(directory / SUMMARY, {"version": 1, "key": key, "rounds": [one.to_json() for one in rounds]})


def shape_key(shape: Mapping[str, Any]) -> str:
    """Text that is equal for equal shapes, from memory or from disk."""
    return json.dumps(shape, sort_keys=True)


def value_of(measured: Measured, objective: Objective) -> float:
    """The number that is to become smaller."""
    return measured.total_luts if objective == "luts" else float(measured.interval_cycles)


def told(rounds: list[Round], objective: Objective) -> str:
    """The last round in a few words."""
    last, unit = rounds[-1], {"luts": "LUTs", "cycles": "cycles"}[objective]
    taken = "" if last.accepted else ", taken back"
    return f"{value_of(last.measured, objective):,.0f} {unit}, validation {100 * last.accuracy:.1f} %{taken}"


def bottleneck_of(measured: Measured, objective: Objective) -> int:
    """The layer with the most LUTs, or cycles."""
    by_layer = measured.luts if objective == "luts" else measured.cycles
    return max(range(len(by_layer)), key=lambda layer: by_layer[layer])
