"""What each kind of stage does to a network."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from quant_training.config import TrainConfig
from quant_training.dataset import Dataset
from quant_training.distillation import Distil, DistilConfig
from quant_training.hooks import Hook
from quant_training.pruning.masks import hold
from quant_training.recipes.config import Recipe, Stage
from quant_training.recipes.learning import learn
from quant_training.recipes.plugins import Outcome, Plugins
from quant_training.training import train

if TYPE_CHECKING:
    from collections.abc import Mapping

    from models import Network

_CALIBRATION_SAMPLES = 512
# Batch norm of a trained network: fewer would be noisier than the running averages of training.
_NORM_SAMPLES = 20_000


@dataclass(frozen=True, eq=False)
class Work:
    """A stage with all it needs.

    Attributes
    ----------
    recipe, stage : what to do.
    data : what to train on.
    folder : where its training may keep its state.
    before : network of the stage before; None for the first one.
    masked : whether weights that are zero have to stay so.
    teachers : networks of earlier stages by name, as far as this one asks for them.
    progress : show a bar.
    plugins : what the caller adds.
    """

    recipe: Recipe
    stage: Stage
    data: Dataset
    folder: Path
    before: Network | None
    masked: bool
    teachers: Mapping[str, Network]
    progress: bool
    plugins: Plugins = field(default_factory=Plugins)

    def config(self) -> TrainConfig:
        """Settings of the stage's training, which carries on where it was interrupted."""
        values = {**self.recipe.training, **self.stage.training}
        return TrainConfig(**values, output=self.folder, resume=True, progress=self.progress)


def perform(work: Work) -> Outcome:
    """Carry out a stage."""
    kind = work.stage.kind
    if kind in work.plugins.stages:
        return work.plugins.stages[kind].perform(work)
    if kind == "prune":
        return _prune(work)
    if kind == "calibrate":
        return Outcome(_calibrate(work), work.masked)
    model = _low_rank(work) if kind == "low_rank" else _network(work)
    masked = work.masked and kind != "low_rank" and work.stage.model is None
    hooks: list[Hook] = [*_teacher(work, model), *([hold(model)] if masked else [])]
    if kind == "learn_bits":
        return learn(work, model, hooks)
    train(model, work.data, work.config(), hooks)
    return Outcome(model, masked)


def _network(work: Work) -> Network:
    """The network that the stage trains: that of the stage before, in other types or afresh."""
    import models

    stage, before = work.stage, work.before
    seed = work.config().seed
    if before is None:
        return models.build(work.recipe.model, stage.bits or "float", seed=seed)
    if stage.model is not None:
        return models.build(stage.model, stage.bits, seed=seed)
    if stage.bits is None:
        return before
    model = models.build(before.spec, stage.bits, seed=seed)
    models.load_weights(model, before)
    return model


def _teacher(work: Work, student: Network) -> list[Hook]:
    if work.stage.teacher is None:
        return []
    config = work.stage.technique if isinstance(work.stage.technique, DistilConfig) else DistilConfig()
    return [Distil(work.teachers[work.stage.teacher], student, config)]


def _prune(work: Work) -> Outcome:
    from quant_training.pruning.run import prune

    assert work.before is not None  # the first stage is a training
    config = work.stage.technique
    # Channels give a new network, of which a teacher's hook cannot know; masks change this one.
    hooks: list[Hook] = _teacher(work, work.before)
    if work.masked and config.pattern != "channels":
        hooks.append(hold(work.before))
    cost = work.plugins.budget(config.budget, config.at)
    pruned = prune(work.before, work.data, config, work.config(), cost=cost, hooks=hooks)
    return Outcome(pruned.model, work.masked or pruned.masks is not None)


def _low_rank(work: Work) -> Network:
    from quant_training.lowrank.network import factorise

    assert work.before is not None  # the first stage is a training
    config = work.stage.technique
    cost = work.plugins.budget(config.budget, config.at)
    return factorise(work.before, work.data, config, cost=cost, progress=work.progress)


def _calibrate(work: Work) -> Network:
    import torch

    from quant_training.calibration import post_training, reestimate_norms

    assert work.before is not None  # the first stage is a training
    if work.stage.bits is None:
        reestimate_norms(work.before, torch.from_numpy(work.data.train.take(_NORM_SAMPLES).x))
        return work.before.eval()
    x = torch.from_numpy(work.data.train.take(_CALIBRATION_SAMPLES).x)
    return post_training(work.before, work.stage.bits, x, **work.stage.technique.model_dump(exclude_unset=True)).eval()
