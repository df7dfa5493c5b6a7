"""PROBLEM.yaml: what a search may change, what it optimises and what it may spend."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from hw_flow.errors import FlowError
from hw_flow.pipeline.config import line_of
from models import ACTIVATION_TYPES, CODEBOOK_TYPES, WEIGHT_TYPES
from models.bits import type_bits

if TYPE_CHECKING:
    from models import Spec

OBJECTIVES = {"accuracy": "maximize", "luts": "minimize", "latency_cycles": "minimize", "interval_cycles": "minimize"}


def rung(dtype: str) -> tuple[int, bool]:
    """Width of a type, with TERNARY below INT2; a codebook stands on the rung of INTn."""
    return type_bits(dtype), dtype != "TERNARY"


def grade(dtype: str) -> tuple[int, bool, int]:
    """Sort key from coarse to fine: by `rung`, and there by the error on Gaussian weights, POWn before INTn before CODEn."""
    return *rung(dtype), {"P": 0, "C": 2}.get(dtype[0], 1)


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Dataset(_Section):
    """Where the samples come from; ``folder`` only for sets that are read from files.

    ``val_fraction`` of the training samples select the points; the test part is only reported.
    """

    name: str
    folder: Path | None = None
    val_fraction: float = Field(default=0.2, gt=0, lt=1)


class Model(_Section):
    """A network: a named preset, or the widths of a fully connected one from input to classes; and how weights are scaled."""

    preset: str | None = None
    features: tuple[int, ...] | None = Field(default=None, min_length=3)
    weight_scale: Literal["float", "power_of_two", "constant"] = "float"
    per_channel: bool = False

    @model_validator(mode="after")
    def _one(self) -> Model:
        if (self.preset is None) == (self.features is None):
            raise ValueError("give either 'preset' or 'features', and not both")
        return self


class Layer(_Section):
    """Candidates of one layer where they differ from those of the others."""

    weights: tuple[str, ...] | None = Field(default=None, min_length=1)
    activations: tuple[str, ...] | None = Field(default=None, min_length=1)


class Training(_Section):
    """Budgets in epochs: ``base_*`` for the shared checkpoint, the others for each trial's fine-tuning."""

    base_weights: str = "INT8"
    base_activations: str = "UINT8"
    base_epochs: int = Field(default=60, ge=1)
    base_learning_rate: float = Field(default=5e-3, gt=0)
    epochs: int = Field(default=25, ge=0)
    learning_rate: float = Field(default=2e-2, gt=0)
    batch_size: int = Field(default=64, ge=1)


class Hardware(_Section):
    """What is built: every layer folded for ``target_cycles`` a frame, on Yosys target ``target``."""

    target: Literal["xc7"] = "xc7"
    target_cycles: int = Field(default=64, ge=1)
    ram_style: Literal["auto", "distributed", "block"] = "distributed"
    res_type: Literal["auto", "lut", "dsp"] = "lut"
    synth_timeout_s: float = Field(default=300, gt=0)


class Simulation(_Section):
    """Frames of the test set that go through Verilator in each trial; an interval takes two."""

    samples: int = Field(default=64, ge=2)


class Search(_Section):
    """How many points are measured, by how many worker processes, proposed by whom.

    After ``time_limit_s`` seconds, over all runs in the folder, no further trial is begun; those that run are finished.
    """

    trials: int = Field(default=36, ge=1)
    time_limit_s: float | None = Field(default=None, gt=0)
    workers: int = Field(default=2, ge=1)
    seed: int = 1
    sampler: Literal["auto", "tpe", "nsga2", "gp", "random"] = "auto"
    executor: Literal["dask", "serial"] = "dask"


class Problem(_Section):
    """One search problem.

    Attributes
    ----------
    input : candidates for the type of the quantised network input.
    weights, activations : candidates of every layer, weights also of the codebooks; ``layers`` overrides them by layer
        index. The last layer has no activation.
    objectives : accuracy (on the validation split) and one or two of luts, latency_cycles, interval_cycles.
    """

    name: str
    dataset: Dataset
    model: Model
    input: tuple[str, ...] = Field(default=("UINT4",), min_length=1)
    weights: tuple[str, ...] = Field(min_length=1)
    activations: tuple[str, ...] = Field(min_length=1)
    layers: dict[int, Layer] = {}
    objectives: tuple[Literal["accuracy", "luts", "latency_cycles", "interval_cycles"], ...] = ("accuracy", "luts")
    training: Training = Training()
    hardware: Hardware = Hardware()
    simulation: Simulation = Simulation()
    search: Search = Search()

    @field_validator("dataset", mode="before")
    @classmethod
    def _plain_dataset(cls, value: Any) -> Any:
        return {"name": value} if isinstance(value, str) else value

    @field_validator("input", mode="before")
    @classmethod
    def _plain_input(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _legal(self) -> Problem:
        _types("input", self.input, ACTIVATION_TYPES)
        weights = (*WEIGHT_TYPES, *CODEBOOK_TYPES)
        _types("weights", self.weights, weights)
        _types("activations", self.activations, ACTIVATION_TYPES)
        _types("training.base_weights", (self.training.base_weights,), weights)
        _types("training.base_activations", (self.training.base_activations,), ACTIVATION_TYPES)
        depth = self.depth
        for index, layer in self.layers.items():
            if not 0 <= index < depth:
                raise ValueError(f"layers.{index}: the network has {depth} layers; legal indices are 0 to {depth - 1}")
            if index == depth - 1 and layer.activations is not None:
                raise ValueError(f"layers.{index}.activations: the last layer has no activation; remove the key")
            _types(f"layers.{index}.weights", layer.weights or (), weights)
            _types(f"layers.{index}.activations", layer.activations or (), ACTIVATION_TYPES)
        costs = [name for name in OBJECTIVES if name != "accuracy"]
        if "accuracy" not in self.objectives or len(set(self.objectives)) != len(self.objectives) or len(self.objectives) == 1:
            raise ValueError(f"objectives: give accuracy and one or two of {', '.join(costs)}")
        return self

    @property
    def spec(self) -> Spec:
        """Shape of the network."""
        from models import MLPSpec, spec_of

        widths = self.model.features
        return spec_of(str(self.model.preset)) if widths is None else MLPSpec(widths[0], widths[1:-1], widths[-1])

    @property
    def depth(self) -> int:
        """Number of layers with weights."""
        return len(self.model.features) - 1 if self.model.features is not None else self.spec.layers

    @property
    def directions(self) -> tuple[str, ...]:
        """``maximize`` or ``minimize`` per objective."""
        return tuple(OBJECTIVES[name] for name in self.objectives)


def _types(where: str, given: tuple[str, ...], legal: tuple[str, ...]) -> None:
    for dtype in given:
        if dtype not in legal:
            raise ValueError(f"{where}: unknown type '{dtype}'; legal values: {', '.join(legal)}")


def load(path: Path) -> Problem:
    """Read a PROBLEM.yaml.

    Raises
    ------
    FlowError : no such file, not YAML, or an unknown key, type or value (one line naming it and what is legal).
    """
    try:
        text = path.read_text(encoding="utf-8")
        data, tree = yaml.safe_load(text), yaml.compose(text, Loader=yaml.SafeLoader)
    except OSError as error:
        raise FlowError(f"{path}: cannot be read ({error.strerror}); give the path of a PROBLEM.yaml") from error
    except UnicodeDecodeError as error:
        raise FlowError(f"{path}: is not text ({error.reason}); give a YAML file") from error
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark is not None else 1
        raise FlowError(f"{path}:{line}: not YAML ({error.problem}); correct this line") from error
    except yaml.YAMLError as error:
        raise FlowError(f"{path}: not YAML ({' '.join(str(error).split())})") from error
    if not isinstance(data, dict):
        raise FlowError(f"{path}:1: holds no mapping; start from benchmarks/search_digits.yaml")
    return parse(data, str(path), tree)


def parse(data: dict[str, Any], where: str = "problem", tree: yaml.Node | None = None) -> Problem:
    """Check a problem given as plain data; ``where``, and the line if ``tree`` is its YAML, opens the message of a FlowError."""
    try:
        return Problem.model_validate(data)
    except ValidationError as error:
        message = _first_line(error)
        if tree is not None:
            # Every message begins with the key, also those of checks that see more than one.
            where = f"{where}:{line_of(tree, tuple(message.split(':')[0].split('.')))}"
        raise FlowError(f"{where}: {message}") from error


def _first_line(error: ValidationError) -> str:
    first = error.errors()[0]
    location, kind = first["loc"], first["type"]
    name = ".".join(map(str, location))
    if kind == "extra_forbidden":
        return f"{name}: unknown key; legal keys: {', '.join(_section_at(location[:-1]).model_fields)}"
    if kind == "missing":
        return f"{name}: this key is missing; add it"
    if kind == "literal_error":
        return f"{name}: unknown value '{first['input']}'; legal values: {first['ctx']['expected'].replace(' or ', ', ')}"
    if kind == "value_error":
        message = str(first["ctx"]["error"])
        return f"{name}: {message}" if name else message
    return f"{name}: {first['msg'][0].lower()}{first['msg'][1:]}, not {first['input']!r}"


def _section_at(location: tuple[int | str, ...]) -> type[BaseModel]:
    """The section class that a location of a pydantic error points into."""
    section: type[BaseModel] = Problem
    for step in location:
        annotation: Any = section.model_fields[step].annotation if step in section.model_fields else section
        if get_origin(annotation) is dict:
            annotation = get_args(annotation)[1]
        section = annotation
    return section
