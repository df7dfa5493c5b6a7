"""RECIPE.yaml: data, a network, and what is done to it, stage by stage."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from models import ModelError
from quant_training.config import DataConfig, TrainConfig
from quant_training.distillation import DistilConfig
from quant_training.errors import TrainingError
from quant_training.lowrank.network import LowRankConfig
from quant_training.pruning.config import PruneConfig
from quant_training.recipes.known import Known
from quant_training.recipes.learning import LearnConfig
from quant_training.recipes.plugins import Plugins
from quant_training.settings import one_line, read_mapping

KINDS = ("pretrain", "distil", "prune", "lower", "low_rank", "learn_bits", "finetune", "calibrate")
_KEYS = ("name", "data", "model", "training", "stages", "robustness")
# `keep` is the share that pruning leaves; what the recipe decides itself is no setting of a stage.
_TRAINING = tuple(
    name for name in TrainConfig.model_fields
    if name not in ("model", "bits", "data", "output", "start", "resume", "keep", "progress", "checkpoint_seconds")
)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class CalibrateConfig(BaseModel):
    """Settings of `post_training`; those that are not given are its own."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    ranges: Literal["mse", "percentile", "max"] = "mse"
    percentile: float = Field(default=99.9, gt=50, le=100)
    equalised: bool = False

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise TrainingError(one_line("calibration", error, CalibrateConfig)) from error

    @model_validator(mode="after")
    def _used(self) -> CalibrateConfig:
        if "percentile" in self.model_fields_set and self.ranges != "percentile":
            raise ValueError(f"percentile is for the ranges 'percentile', and they are '{self.ranges}'; set ranges, or leave "
                             "percentile out")
        return self


_OWN: Mapping[str, tuple[str, ...]] = {
    "pretrain": ("bits",), "distil": ("bits", "model", "teacher", *DistilConfig.model_fields),
    "prune": ("teacher", *PruneConfig.model_fields), "lower": ("bits", "teacher"),
    "low_rank": ("teacher", *LowRankConfig.model_fields), "finetune": ("teacher",),
    "learn_bits": ("bits", "teacher", *LearnConfig.model_fields), "calibrate": ("bits", *CalibrateConfig.model_fields),
}


@dataclass(frozen=True)
class Stage:
    """One step of a recipe.

    Attributes
    ----------
    kind : one of ``KINDS``, or one that a caller adds.
    name : of its folder, and to refer to it as a teacher.
    bits : types of its result; None: as they are.
    model : another network for the student of a distillation; None: the same.
    teacher : name of the stage whose network teaches; None: no teacher (for ``distil`` the first stage).
    technique : settings of the technique: a `DistilConfig`, `PruneConfig`, `LowRankConfig`, `LearnConfig` or
        `CalibrateConfig`, or what a caller's kind has.
    training : settings of its training that differ from the recipe's.
    """

    kind: str
    name: str
    bits: Any
    model: Any
    teacher: str | None
    technique: Any
    training: Mapping[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """Plain values; the same for the same stage."""
        technique = self.technique.model_dump(mode="json") if hasattr(self.technique, "model_dump") else self.technique
        return {**vars(self), "technique": technique, "training": dict(self.training)}


@dataclass(frozen=True)
class Recipe:
    """A chain of stages.

    Attributes
    ----------
    name : of the recipe.
    data : as for a training.
    model : preset or mapping of the network that the first stage trains.
    training : settings of all trainings, see `TrainConfig`.
    stages : in order; the first one is ``pretrain``.
    robustness : measure each stage's robustness, too (see `quant_training.robustness`).
    """

    name: str
    data: DataConfig
    model: Any
    training: Mapping[str, Any]
    stages: tuple[Stage, ...]
    robustness: bool = False

    @classmethod
    def from_yaml(cls, path: Path, plugins: Plugins | None = None) -> Recipe:
        """From a file; ``plugins`` add kinds of stages and hardware costs.

        Raises
        ------
        TrainingError : it cannot be read, or a key or value is not legal; the stage is named.
        """
        values = read_mapping(path, "a recipe (YAML)", "data, model and stages")
        return cls.from_dict({"name": path.stem, **values}, plugins)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], plugins: Plugins | None = None) -> Recipe:
        """From plain values; see `from_yaml`."""
        for key in values:
            if key not in _KEYS:
                raise TrainingError(f"recipe: unknown key '{key}'; legal keys are {', '.join(_KEYS)}")
        given = values.get("stages")
        if not isinstance(given, list) or not given:
            raise TrainingError("recipe: stages is missing or empty; give a list such as [pretrain: {epochs: 20}, finetune: {}]")
        training = _mapping("training", values.get("training"))
        _check_training("training", training)
        data = values.get("data", "digits")
        model = values.get("model", "digits")
        stages = _stages(given, plugins or Plugins(), Known.of(model))
        settings = {"name": str(data)} if isinstance(data, str) else _mapping("data", data)
        config = TrainConfig(data=settings)
        robustness = values.get("robustness", False)
        if not isinstance(robustness, bool):
            raise TrainingError(f"recipe: robustness is {robustness!r}; give true or false")
        return cls(str(values.get("name", "recipe")), config.data, model, training, stages, robustness)


def _mapping(where: str, value: Any) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise TrainingError(f"recipe: {where} is {value!r}; give a mapping of settings")
    return {str(key): item for key, item in value.items()}


def _check_training(where: str, values: Mapping[str, Any]) -> None:
    for key in values:
        if key not in _TRAINING:
            raise TrainingError(f"recipe: {where}: unknown key '{key}'; legal keys are {', '.join(_TRAINING)}")
    try:
        TrainConfig(**values)
    except TrainingError as error:
        raise TrainingError(f"recipe: {where}: {error}") from error


def _stages(given: list[Any], plugins: Plugins, network: Known) -> tuple[Stage, ...]:
    stages: list[Stage] = []
    left: dict[str, Known] = {}
    kinds = (*KINDS, *plugins.stages)
    for number, item in enumerate(given, start=1):
        entry = {item: None} if isinstance(item, str) else item
        if not isinstance(entry, Mapping) or len(entry) != 1 or next(iter(entry)) not in kinds:
            raise TrainingError(f"recipe: stage {number} is {entry!r}; name exactly one of {', '.join(kinds)}")
        kind, settings = next(iter(entry.items()))
        values = _mapping(f"stage {number} ({kind})", settings)
        stage = _stage(number, kind, values, list(left), plugins)
        if not left and kind != "pretrain":
            raise TrainingError(f"recipe: the first stage is {kind}; begin with pretrain")
        try:
            teacher = left[stage.teacher] if stage.teacher is not None else None
            network = left[stage.name] = network.after(stage, teacher, added=kind in plugins.stages)
        except (TrainingError, ModelError) as error:
            raise TrainingError(f"recipe: stage {number} ({kind}): {error}") from error
        stages.append(stage)
    return tuple(stages)


def _stage(number: int, kind: str, values: dict[str, Any], earlier: list[str], plugins: Plugins) -> Stage:
    where = f"stage {number} ({kind})"
    name = str(values.pop("name", kind if kind not in earlier else f"{kind}-{number}"))
    if not _NAME.fullmatch(name) or name in earlier:
        raise TrainingError(f"recipe: {where}: the name '{name}' is taken or is no file name; give another")
    legal_own = tuple(plugins.stages[kind].settings.model_fields) if kind in plugins.stages else _OWN[kind]
    own = {key: values.pop(key) for key in list(values) if key in legal_own}
    for key in values:
        if key not in _TRAINING or kind == "calibrate":
            legal = (*legal_own, *(() if kind == "calibrate" else _TRAINING))
            raise TrainingError(f"recipe: {where}: unknown key '{key}'; legal keys are name, {', '.join(dict.fromkeys(legal))}")
    _check_training(where, values)
    bits, model, teacher = own.pop("bits", None), own.pop("model", None), own.pop("teacher", None)
    if bits is None and kind in ("lower", "distil"):
        raise TrainingError(f"recipe: {where}: bits is missing; give the types of its result, for example w4a4")
    if kind == "distil" and teacher is None:
        teacher = earlier[0] if earlier else None
    if teacher is not None and teacher not in earlier:
        raise TrainingError(f"recipe: {where}: no earlier stage is named '{teacher}'; there are {', '.join(earlier) or 'none'}")
    if kind == "prune" and "seed" in own:
        values["seed"] = own["seed"]
    makers: dict[str, Any] = {"distil": DistilConfig, "prune": PruneConfig, "low_rank": LowRankConfig, "learn_bits": LearnConfig,
                              "calibrate": CalibrateConfig}
    makers |= {name: added.settings for name, added in plugins.stages.items()}
    try:
        technique = makers[kind](**own) if kind in makers else own
        if isinstance(technique, LearnConfig):
            plugins.cost(technique.cost, technique.at)
        if isinstance(technique, PruneConfig | LowRankConfig):
            plugins.budget(technique.budget, technique.at)
    except TrainingError as error:
        raise TrainingError(f"recipe: {where}: {error}") from error
    if kind == "calibrate" and bits is None and own:
        raise TrainingError(f"recipe: {where}: {', '.join(own)} set the ranges of new types, and bits is missing; give bits, or "
                            "leave them out to estimate batch-norm statistics alone")
    return Stage(kind, name, bits, model, teacher, technique, values)
