"""Settings of a training run, as YAML and as Python."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from quant_training.dataset import Dataset
from quant_training.errors import TrainingError
from quant_training.settings import one_line, read_mapping

# What does not change the outcome of a training.
NEUTRAL = frozenset({"output", "resume", "progress", "checkpoint_seconds", "threads"})


class DataConfig(BaseModel):
    """Arguments of ``load_dataset``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = "digits"
    folder: Path | None = None
    label: str | int | None = None
    columns: list[str | int] | None = None
    val_fraction: float = Field(default=0.1, ge=0, lt=1)
    test_fraction: float = Field(default=0.2, ge=0, lt=1)
    seed: int = 0
    power_of_two: bool = False
    image_size: int | None = Field(default=None, ge=1)

    def load(self) -> Dataset:
        """The data set."""
        from quant_training.data import load_dataset

        return load_dataset(**self.model_dump())


class TrainConfig(BaseModel):
    """One training run.

    Attributes
    ----------
    model : preset name or a mapping of inputs, hidden, classes, batch_norm, bias, dropout, output_norm
        (with ``preset``: changes to that preset).
    bits : short name (``w2a2``) or a mapping of BitConfig's attributes.
    data : name, path, or the arguments of ``load_dataset``.
    output : folder for config.json, model.json, weights.safetensors and metrics.json; None keeps all in memory.
    epochs, batch_size, learning_rate : of Adam; the batch is that of each device.
    schedule : ``cosine`` to nearly zero, ``plateau`` (a third after ``patience / 2`` epochs without
        progress, 5 if there is no patience), or ``constant``.
    loss : ``cross_entropy`` or ``squared_hinge``.
    label_smoothing : for cross_entropy.
    patience : epochs without a better validation loss until training stops; None trains all epochs.
    keep : which weights to keep: ``best`` by validation accuracy, or the ``last``. Without validation
        samples, or without labels (see `DistilConfig`), it is the last.
    shift : random shifts of the training images by up to so many pixels.
    flip : exchange left and right in half of the training images.
    cutout : blank a square of so many pixels at a random place of each training image.
    start : folder or safetensors file whose float weights to start from.
    seed : of weights, order of samples, dropout and shifts.
    resume : continue a run that was killed, from ``output``; starts afresh if there is nothing to continue.
    checkpoint_seconds : least time between two snapshots for ``resume``; 0 writes one each epoch.
    accelerator, devices, strategy, precision : passed to Lightning's Trainer.
    threads : torch threads. One is fastest for layers of up to some hundred neurons, and does not stall when other
        programs share the cores; None leaves torch's setting.
    progress : show a progress bar with the time left.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)

    model: str | dict[str, Any] = "digits"
    bits: str | dict[str, Any] = "w4a4"
    data: DataConfig = DataConfig()
    output: Path | None = None
    epochs: int = Field(default=30, ge=1)
    batch_size: int = Field(default=256, ge=2)
    learning_rate: float = Field(default=0.01, gt=0, allow_inf_nan=False)
    weight_decay: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    schedule: Literal["cosine", "plateau", "constant"] = "cosine"
    loss: Literal["cross_entropy", "squared_hinge"] = "cross_entropy"
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    patience: int | None = Field(default=None, ge=1)
    keep: Literal["best", "last"] = "best"
    shift: int = Field(default=0, ge=0)
    flip: bool = False
    cutout: int = Field(default=0, ge=0)
    start: Path | None = None
    seed: int = Field(default=0, ge=0)
    resume: bool = False
    checkpoint_seconds: float = Field(default=10.0, ge=0)
    accelerator: str = "auto"
    devices: int | str = 1
    strategy: str = "auto"
    precision: str = "32-true"
    threads: int | None = Field(default=1, ge=1)
    progress: bool = True

    def __init__(self, **values: Any) -> None:
        if isinstance(values.get("data"), (str, Path)):
            values["data"] = {"name": str(values["data"])}
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise TrainingError(one_line("training settings", error, TrainConfig)) from error

    def decisive(self) -> dict[str, Any]:
        """Settings that the result depends on, plain values."""
        return self.model_dump(mode="json", exclude=set(NEUTRAL))

    @classmethod
    def from_yaml(cls, path: Path) -> TrainConfig:
        """Settings from a YAML file; paths in it are relative to the working directory."""
        return cls(**read_mapping(path, "a YAML file with the settings of the training", "at least model, bits and data"))
