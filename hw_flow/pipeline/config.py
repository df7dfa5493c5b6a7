"""The YAML of ``bitwright run``: one section a verb, every fault named with file, line and key."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from hw_flow.errors import FlowError


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class BuildSection(_Section):
    """How to build.

    Attributes
    ----------
    folding, target_cycles, unfold, fps with clock_mhz, target_latency, budget_luts, budget_brams and budget_dsps : at most one
        way; none lets the default rule choose.
    pipeline_levels : levels of logic between the registers of unrolled layers; without it what ``clock_mhz`` allows, or 2.
    integer_input : take the data set's integers, so that its scaling and quantisation become hardware.
    input_type, input_scale : the same by hand, for a ``model`` file.
    """

    backend: str = "rtl"
    folding: Path | None = None
    target_cycles: int | None = Field(default=None, ge=1)
    unfold: bool = False
    fps: float | None = Field(default=None, gt=0)
    clock_mhz: float | None = Field(default=None, gt=0)
    target_latency: int | None = Field(default=None, ge=1)
    budget_luts: int | None = Field(default=None, ge=0)
    budget_brams: int | None = Field(default=None, ge=0)
    budget_dsps: int | None = Field(default=None, ge=0)
    pipeline_levels: int | None = Field(default=None, ge=1)
    integer_input: bool = True
    input_type: str | None = None
    input_scale: str | None = None

    @model_validator(mode="after")
    def _one_way(self) -> BuildSection:
        ways = {"folding": self.folding, "target_cycles": self.target_cycles, "unfold": self.unfold or None, "fps": self.fps,
                "target_latency": self.target_latency}
        budgets = {"budget_luts": self.budget_luts, "budget_brams": self.budget_brams, "budget_dsps": self.budget_dsps}
        given = [name for name, value in ways.items() if value is not None]
        given += [name for name, value in budgets.items() if value is not None][:1]
        if len(given) > 1:
            raise ValueError(f"'{given[0]}' and '{given[1]}' contradict each other; give one")
        if self.input_scale is not None and self.input_type is None:
            raise ValueError("'input_scale' goes with 'input_type'; give the type too, for example UINT8")
        return self


class SimulateSection(_Section):
    """What to simulate.

    Attributes
    ----------
    samples : how many of the test part of the data set or of ``inputs``, None for all; or so many random frames, 200 by default.
    stalls : also a pass with random stalls on all ports.
    profile : ``check`` (assertions, three start values of registers) or ``fast`` (neither).
    inputs, labels : ``.npy`` files instead, for a ``model`` file.
    """

    samples: int | None = Field(default=None, ge=1)
    seed: int = Field(default=0, ge=0)
    stalls: bool = False
    profile: Literal["check", "fast"] = "check"
    inputs: Path | None = None
    labels: Path | None = None


class SynthSection(_Section):
    """What to synthesise for; an empty list skips synthesis."""

    targets: tuple[str, ...] = ("xc7",)
    nodsp: bool = False
    flatten: bool = False


class RunConfig(_Section):
    """A whole run: either ``train`` (settings of ``quant_training.TrainConfig``) or ``model`` (a QONNX file)."""

    name: str = Field(pattern=r"^\w[\w.-]*$")
    train: dict[str, Any] | None = None
    model: Path | None = None
    build: BuildSection = BuildSection()
    simulate: SimulateSection = SimulateSection()
    synth: SynthSection = SynthSection()

    @model_validator(mode="after")
    def _one_start(self) -> RunConfig:
        if (self.train is None) == (self.model is None):
            raise ValueError("give either 'train' or 'model', and not both")
        if self.train is not None and (self.simulate.inputs or self.simulate.labels or self.build.input_type):
            raise ValueError("'inputs', 'labels' and 'input_type' go with 'model'; with 'train' they come from the data set")
        return self


_MANAGED = ("output", "resume", "progress")


def load(path: Path) -> RunConfig:
    """Read and check a run's YAML.

    Raises
    ------
    FlowError : ``FILE:LINE: KEY ...`` for a fault; unknown keys are refused with the legal ones listed.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise FlowError(f"{path}: cannot read the configuration ({error.strerror}); check the path") from error
    except UnicodeDecodeError as error:
        raise FlowError(f"{path}: is not text ({error.reason}); give a YAML file") from error
    try:
        values, tree = yaml.safe_load(text), yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark is not None else 1
        raise FlowError(f"{path}:{line}: not YAML ({error.problem}); correct this line") from error
    except yaml.YAMLError as error:
        raise FlowError(f"{path}: not YAML ({' '.join(str(error).split())})") from error
    if not isinstance(values, dict):
        raise FlowError(f"{path}:1: not a mapping; give at least 'name' and 'train' or 'model'")
    try:
        config = RunConfig(**values)
    except ValidationError as error:
        raise FlowError(_describe(path, tree, error)) from error
    except TypeError as error:
        raise FlowError(f"{path}:1: keys must be words ({error}); give at least 'name' and 'train' or 'model'") from error
    if config.train is not None:
        _check_training(path, tree, config.train)
    return config


def _check_training(path: Path, tree: yaml.Node | None, settings: dict[str, Any]) -> None:
    from quant_training.config import TrainConfig
    from quant_training.errors import TrainingError

    for key in _MANAGED:
        if key in settings:
            raise FlowError(f"{path}:{line_of(tree, ('train', key))}: train.{key} is set by the run itself; leave it out")
    try:
        TrainConfig(**settings)
    except TrainingError as error:
        where = next((key for key in settings if f"'{key}" in str(error) or f" {key} " in str(error)), None)
        line = line_of(tree, ("train", *((where,) if where else ())))
        raise FlowError(f"{path}:{line}: {error}") from error


def _describe(path: Path, tree: yaml.Node | None, error: ValidationError) -> str:
    first = error.errors()[0]
    loc = tuple(part for part in first["loc"] if isinstance(part, (str, int)))
    key = ".".join(map(str, loc))
    where = f"{path}:{line_of(tree, loc)}"
    if first["type"] == "extra_forbidden":
        section = RunConfig.model_fields[str(loc[0])].annotation if len(loc) > 1 else RunConfig
        legal = section.model_fields if isinstance(section, type) and issubclass(section, BaseModel) else RunConfig.model_fields
        return f"{where}: unknown key '{key}'; legal keys are {', '.join(legal)}"
    if first["type"] == "missing":
        return f"{where}: '{key}' is missing; add it"
    if not loc:
        return f"{where}: {first['msg'].removeprefix('Value error, ')}"
    if first["type"] == "value_error":
        return f"{where}: {key}: {first['msg'].removeprefix('Value error, ')}"
    return f"{where}: {key} is {first['input']!r}: {first['msg'].lower().replace('tuple', 'list')}"


def line_of(tree: yaml.Node | None, loc: tuple[str | int, ...]) -> int:
    """Line (from 1) of the key or item at ``loc``, or of the deepest part of it that exists."""
    line = 1
    node = tree
    for part in loc:
        if isinstance(node, yaml.MappingNode):
            pair = next(((key, value) for key, value in node.value if key.value == str(part)), None)
            if pair is None:
                break
            line, node = pair[0].start_mark.line + 1, pair[1]
        elif isinstance(node, yaml.SequenceNode) and str(part).isdigit() and int(part) < len(node.value):
            node = node.value[int(part)]
            line = node.start_mark.line + 1
        else:
            break
    return line
