"""Train a network: in one call from settings, or from objects at hand."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from quant_training.config import TrainConfig
from quant_training.dataset import Dataset
from quant_training.errors import TrainingError
from quant_training.folder import RESUME, data_settings, finished, readable, run_key, snapshot

if TYPE_CHECKING:

    from models import Network
    from quant_training.hooks import Hook

@dataclass(frozen=True, eq=False)
class TrainResult:
    """What a training run gave.

    Attributes
    ----------
    model : the trained network, in evaluation mode.
    data : what it was trained on.
    train_accuracy, val_accuracy, test_accuracy : 0 to 1; NaN where the part is empty.
    epochs : epochs trained, over all resumed parts.
    seconds : wall-clock time of this call's training.
    history : per epoch: epoch, train_loss, val_loss, val_accuracy.
    directory : where it was saved, or None.
    """

    model: Network
    data: Dataset
    train_accuracy: float
    val_accuracy: float
    test_accuracy: float
    epochs: int
    seconds: float
    history: list[dict[str, float]] = field(repr=False)
    directory: Path | None = None

    def metrics(self) -> dict[str, Any]:
        """Plain values, for JSON (no NaN)."""
        values = {
            "train_accuracy": self.train_accuracy, "val_accuracy": self.val_accuracy, "test_accuracy": self.test_accuracy,
            "epochs": self.epochs, "seconds": round(self.seconds, 3), "samples": len(self.data.train),
        }
        return {**{key: None if math.isnan(value) else value for key, value in values.items()}, "history": self.history}


def run_training(config: TrainConfig) -> TrainResult:
    """Data, network, training and saving, from settings.

    Raises
    ------
    TrainingError : the data or the settings cannot be used, or training diverged.
    ModelError : the network or its types are not legal.
    """
    data = config.data.load()
    return train(network_of(config), data, config)


def network_of(config: TrainConfig) -> Network:
    """The network that ``config`` describes, with the weights that it is to start from.

    Raises
    ------
    ModelError : the network, its types or the weights are not legal.
    """
    import models

    model = models.build(config.model, config.bits, seed=config.seed)
    if config.start is not None:
        models.load_weights(model, config.start, strict=False)
    return model


def train(model: Network, data: Dataset, config: TrainConfig, hooks: Sequence[Hook] = ()) -> TrainResult:
    """Train ``model`` in place on ``data``; ``config.model``, ``bits``, ``data`` and ``start`` are not used.

    ``hooks`` take part in every step: a teacher, masks, a hardware cost. With ``resume`` a run that is complete in ``output`` is
    loaded, not repeated.

    With several devices Lightning runs the program once for each; all but the first process end in here.

    Raises
    ------
    TrainingError : model and data do not fit, Lightning cannot have its switches, the loss is not finite,
        or ``resume`` finds another run.
    """
    from quant_training.bitwidths import widths_kept

    _check_fit(model, data, config)
    output = config.output
    key = run_key(model, data, config, hooks)
    saved = None
    if output is not None:
        if config.resume and (done := finished(output, key)) is not None:
            return _reload(model, data, done, output)
        output.mkdir(parents=True, exist_ok=True)
        saved = snapshot(output, key, config)
    start = time.perf_counter()
    try:
        with widths_kept(model):
            module = _fit(model, data, config, saved, hooks)
            if module.best is not None:
                model.load_state_dict(module.best)
    finally:
        for hook in hooks:
            hook.end(model)
    seconds = time.perf_counter() - start
    model.cpu().eval()
    if module.global_rank:
        # Lightning started this process only to train; what follows is the first one's work.
        raise SystemExit(0)
    from quant_training.metrics import evaluate

    result = TrainResult(
        model=model, data=data, train_accuracy=evaluate(model, data.train), val_accuracy=evaluate(model, data.val),
        test_accuracy=evaluate(model, data.test), epochs=len(module.history), seconds=seconds, history=module.history,
        directory=output,
    )
    if output is not None:
        _save(result, config, key)
    return result


def _reload(model: Network, data: Dataset, metrics: dict[str, Any], output: Path) -> TrainResult:
    from models.checkpoint import WEIGHTS, read_tensors
    from quant_training.bitwidths import widths_kept

    with widths_kept(model):
        model.load_state_dict(read_tensors(output / WEIGHTS))
    shares = {name: math.nan if metrics[name] is None else metrics[name]
              for name in ("train_accuracy", "val_accuracy", "test_accuracy")}
    return TrainResult(model=model.eval(), data=data, epochs=metrics["epochs"], seconds=metrics["seconds"],
                       history=metrics["history"], directory=output, **shares)


def _fit(model: Network, data: Dataset, config: TrainConfig, snapshot: Path | None, hooks: Sequence[Hook]) -> Any:
    import torch

    # Lightning takes seconds to load; a caller that trains often pays it once.
    from lightning.pytorch.callbacks import EarlyStopping

    from quant_training.callbacks import Progress, Snapshot
    from quant_training.loop import QuantModule
    from quant_training.trainer import interruptible, lay_out, quiet, trainer_of

    if not model.spec.batch_norm:
        model.calibrate(torch.from_numpy(data.train.take(2048).x))
    callbacks: list[Any] = []
    if config.patience is not None:
        callbacks.append(EarlyStopping("val_loss", patience=config.patience, check_on_train_epoch_end=True))
    if snapshot is not None:
        callbacks.append(Snapshot(snapshot, config.checkpoint_seconds))
    if config.progress:
        callbacks.append(Progress())
    module = QuantModule(model, data, config, hooks)
    switches: dict[str, Any] = config.model_dump(include={"accelerator", "devices", "strategy", "precision"})
    threads = torch.get_num_threads()
    with quiet(), torch.random.fork_rng():
        if config.threads is not None:
            torch.set_num_threads(config.threads)
        try:
            trainer = trainer_of(
                switches, max_epochs=config.epochs, callbacks=callbacks, logger=False,
                enable_checkpointing=snapshot is not None, enable_progress_bar=False, enable_model_summary=False,
                num_sanity_val_steps=0, limit_val_batches=0,
            )
            resume = readable(snapshot) if snapshot is not None and snapshot.exists() else None
            # Convolutions are up to a third faster so, and everything else as fast.
            lay_out(model, torch.channels_last)
            model.train()
            with interruptible(trainer):
                trainer.fit(module, ckpt_path=resume, weights_only=True)
        finally:
            torch.set_num_threads(threads)
            lay_out(model, torch.contiguous_format)
    return module


def _check_fit(model: Network, data: Dataset, config: TrainConfig) -> None:
    if model.spec.inputs != data.features:
        shape = " x ".join(map(str, data.input_shape))
        raise TrainingError(
            f"the network takes {model.spec.inputs} inputs, {data.name} has {data.features} ({shape}); set inputs"
        )
    outputs = 1 if model.spec.classes == 1 and len(data.classes) == 2 else len(data.classes)
    if model.spec.classes != outputs and model.spec.classes < len(data.classes):
        raise TrainingError(
            f"the network has {model.spec.classes} outputs, {data.name} has {len(data.classes)} classes; set classes"
        )
    if len(data.train) < 2:
        raise TrainingError(f"{data.name} has {len(data.train)} training samples; give at least 2")
    for name in ("shift", "flip", "cutout"):
        if getattr(config, name) and len(data.input_shape) < 2:
            raise TrainingError(f"{name} is {getattr(config, name)}, but {data.name} has no images; leave {name} out")
    if config.patience is not None and not len(data.val):
        raise TrainingError("patience needs validation samples; set val_fraction above 0 or leave patience out")
    if config.resume and config.output is None:
        raise TrainingError("resume needs the folder of the run; set output")


def _save(result: TrainResult, config: TrainConfig, key: str) -> None:
    from models.checkpoint import save, write_text

    assert result.directory is not None
    settings = {"version": 1, "train": config.model_dump(mode="json"), "data": data_settings(result.data), "key": key}
    write_text(result.directory / "config.json", json.dumps(settings, indent=2))
    save(result.model, result.directory)
    # Written last: metrics.json says that the folder is complete.
    write_text(result.directory / "metrics.json", json.dumps(result.metrics(), indent=2))
    (result.directory / RESUME).unlink(missing_ok=True)
