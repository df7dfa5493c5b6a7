"""The Lightning module. Import it only to train: Lightning takes seconds to load."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import lightning.pytorch as pl
import torch
from torch import Tensor, nn

from models.presets import Network
from quant_training.augment import Augmentation
from quant_training.config import TrainConfig
from quant_training.dataset import Dataset
from quant_training.errors import TrainingError
from quant_training.hooks import SPEED, Hook, Step
from quant_training.metrics import accuracy_of, logits_of, loss_of

# Batches in a row that Lightning does not see one by one: its own work for each would be a tenth of a small network's.
_AT_ONCE = 32


class Batches:
    """Shuffled row numbers of tensors that are in memory already: no workers, no copies, no collation.

    The order depends on seed and epoch alone, so that a resumed run sees the same batches. With several
    devices each takes its share of every epoch.
    """

    def __init__(self, module: QuantModule) -> None:
        self.module = module
        world, samples = module.trainer.world_size, len(module.y)
        self.share = samples // world
        if self.share < 2:
            raise TrainingError(f"{samples} training samples are too few for {world} devices; give each at least 2")
        self.size = min(module.config.batch_size, self.share)

    @property
    def count(self) -> int:
        """Batches of an epoch."""
        return self.share // self.size

    def __len__(self) -> int:
        return self.count if self.module.automatic_optimization else -(-self.count // _AT_ONCE)

    def __iter__(self) -> Iterator[Tensor | list[Tensor]]:
        module = self.module
        generator = torch.Generator().manual_seed(module.config.seed * 1_000_003 + module.current_epoch)
        order = torch.randperm(len(module.y), generator=generator)
        order = order[module.trainer.global_rank :: module.trainer.world_size].to(module.y.device)
        batches = [order[step * self.size : (step + 1) * self.size] for step in range(self.count)]
        if self.module.automatic_optimization:
            yield from batches
            return
        for first in range(0, self.count, _AT_ONCE):
            yield batches[first : first + _AT_ONCE]


class QuantModule(pl.LightningModule):
    """Quantisation-aware training of one network on tensors in memory."""

    def __init__(self, model: Network, data: Dataset, config: TrainConfig, hooks: Sequence[Hook] = ()) -> None:
        super().__init__()
        self.model, self.config, self.hooks = model, config, tuple(hooks)
        # One device at full precision needs nothing of Lightning between two batches.
        self.automatic_optimization = (config.devices, config.strategy, config.precision) != (1, "auto", "32-true")
        # Whether Lightning looks at the loss, to stop early or for its own scheduler: telling it costs as much as a step.
        self.monitored = config.patience is not None or (self.automatic_optimization and config.schedule == "plateau")
        self.labels = all(hook.labels for hook in self.hooks)
        self.batches = self.epoch = 0
        self.augmentation = augmentation_of(data, config)
        self.learned = nn.ModuleList(module for hook in self.hooks if (module := hook.module()) is not None)
        self.raw: Tensor | None = None
        self.blanks = torch.zeros(2)
        self.x, self.y = torch.from_numpy(data.train.x), torch.from_numpy(data.train.labels)
        self.val_x, self.val_y = torch.from_numpy(data.val.x), torch.from_numpy(data.val.labels)
        self.history: list[dict[str, float]] = []
        self.best: dict[str, Tensor] | None = None
        self.best_score = (-math.inf, -math.inf)
        self.total = torch.zeros(())

    def train_dataloader(self) -> Batches:
        batches = Batches(self)
        self.batches = batches.count
        return batches

    def configure_optimizers(self) -> Any:
        config = self.config
        learned = [*self.model.parameters(), *self.learned.parameters()]
        # Adam's steps do not depend on the size of a gradient: what has another unit, as bit widths, needs other steps.
        speeds = sorted({getattr(parameter, SPEED, 1.0) for parameter in learned})
        groups = [{"params": [parameter for parameter in learned if getattr(parameter, SPEED, 1.0) == speed],
                   "lr": config.learning_rate * speed, SPEED: speed} for speed in speeds]
        optimizer = torch.optim.Adam(
            groups, config.learning_rate, weight_decay=config.weight_decay, fused=self.device.type in ("cpu", "cuda"),
        )
        if config.schedule != "plateau":
            return optimizer
        patience = 5 if config.patience is None else max(1, config.patience // 2)
        scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=1 / 3, patience=patience)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "monitor": "val_loss", "interval": "epoch"}}

    def on_fit_start(self) -> None:
        self.y, self.val_y = self.y.to(self.device), self.val_y.to(self.device)
        for hook in self.hooks:
            hook.begin(self.model, self.device)
        x = self.x.to(self.device)
        if self.augmentation:
            x = self.augmentation.prepared(x)
        shape = x.shape
        # Quantising the input is half the work of a small network's first layer, and never changes.
        with torch.no_grad():
            self.x = plain(self.model.quantise(x.flatten(1))).reshape(shape)
            self.val_x = self.model.quantise(self.val_x.to(self.device))
            blank = plain(self.model.quantise(torch.zeros(1, self.model.spec.inputs, device=self.device)))
        self.raw = x if any(hook.needs_raw for hook in self.hooks) else None
        self.blanks = torch.stack([blank.flatten()[0], torch.zeros((), device=self.device)])
        self.total = torch.zeros((), device=self.device)

    def on_train_epoch_start(self) -> None:
        # Dropout and shifts, too, depend on seed and epoch alone.
        seed = (self.config.seed * 1_000_003 + self.current_epoch) * 64 + self.global_rank
        if self.device.type == "cpu":
            torch.default_generator.manual_seed(seed)  # `torch.manual_seed` looks for every kind of accelerator each time
        else:
            torch.manual_seed(seed)
        self.total.zero_()
        self.epoch = self.current_epoch

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        del batch
        if self.automatic_optimization:
            self._set_rate(batch_idx)

    def _set_rate(self, batches: int) -> None:
        if self.config.schedule != "cosine":
            return
        progress = self._progress(batches)
        for group in self.trainer.optimizers[0].param_groups:
            rate = self.config.learning_rate * group[SPEED]
            group["lr"] = rate * (0.005 + 0.995 * 0.5 * (1 + math.cos(math.pi * progress)))

    def _progress(self, batches: int) -> float:
        """Share of the training that is done after ``batches`` of this epoch."""
        return (self.epoch + batches / self.batches) / self.config.epochs

    def training_step(self, batch: Tensor | list[Tensor], batch_idx: int) -> Tensor | None:
        if isinstance(batch, Tensor):
            return self._loss(batch, batch_idx)
        optimizer = self.trainer.optimizers[0]
        for number, rows in enumerate(batch, start=batch_idx * _AT_ONCE):
            self._set_rate(number)
            optimizer.zero_grad()
            torch.autograd.backward(self._loss(rows, number))
            optimizer.step()
            self._stepped(number + 1)
        return None

    def _loss(self, batch: Tensor, number: int) -> Tensor:
        x, raw = self._samples(batch)
        logits, labels = self.model.classify(x), self.y[batch]
        loss = loss_of(logits, labels, self.config.loss, self.config.label_smoothing)
        if self.hooks:
            everything = None if self.augmentation else self.raw
            step = Step(self.model, x, raw, labels, logits, self._progress(number), batch, everything)
            for hook in self.hooks:
                loss = hook.loss(step, loss)
        self.total += loss.detach()
        return loss

    def _samples(self, rows: Tensor) -> tuple[Tensor, Tensor | None]:
        """Quantised samples and, if a hook needs them, the same ones before quantisation."""
        tensors = (self.x,) if self.raw is None else (self.x, self.raw)
        if self.augmentation:
            found = self.augmentation(self.blanks[:len(tensors)], rows, *tensors)
        else:
            found = tuple(tensor[rows] for tensor in tensors)
        return found[0], found[1] if len(found) > 1 else None

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        del outputs, batch
        if self.automatic_optimization:
            self._stepped(batch_idx + 1)

    def _stepped(self, batches: int) -> None:
        self.model.clip_weights()
        for hook in self.hooks:
            hook.stepped(self.model, self._progress(batches))

    def on_train_epoch_end(self) -> None:
        epoch = self.current_epoch
        if self.trainer.world_size > 1:
            self._agree()
        train_loss = float(self.total) / max(1, self.batches)
        if not math.isfinite(train_loss):
            rate = f"{self.config.learning_rate:g}"
            raise TrainingError(f"epoch {epoch}: the loss is {train_loss}; lower learning_rate (now {rate}) or use wider types")
        row = {"epoch": float(epoch), "train_loss": train_loss}
        if len(self.val_y):
            self.model.eval()
            with torch.no_grad():
                logits = logits_of(self.model, self.val_x)
            self.model.train()
            row["val_loss"] = float(loss_of(logits, self.val_y, self.config.loss))
            row["val_accuracy"] = accuracy_of(logits, self.val_y)
            score = (row["val_accuracy"], -row["val_loss"])
            settled = self.labels and all(hook.settled((epoch + 1) / self.config.epochs) for hook in self.hooks)
            if score > self.best_score and self.config.keep == "best" and settled:
                self.best_score = score
                self.best = {name: tensor.detach().clone() for name, tensor in self.model.state_dict().items()}
        else:
            row["val_loss"] = train_loss
        self.history.append(row)
        watched = row["val_loss"] if self.labels else train_loss
        if self.monitored:
            self.log("val_loss", watched)
        if not self.automatic_optimization and self.config.schedule == "plateau":
            scheduler: Any = self.lr_schedulers()
            scheduler.step(watched)

    def _agree(self) -> None:
        """Give all devices one loss and one state of normalisation, so that they judge the epoch alike."""
        self.total = self.trainer.strategy.reduce(self.total, reduce_op="mean")
        for buffer in self.model.buffers():
            torch.distributed.broadcast(buffer, src=0)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["bitwright"] = {"history": self.history, "best": self.best, "best_score": list(self.best_score)}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        saved = checkpoint["bitwright"]
        self.history, self.best = saved["history"], saved["best"]
        self.best_score = (saved["best_score"][0], saved["best_score"][1])


def augmentation_of(data: Dataset, config: TrainConfig) -> Augmentation | None:
    """The random changes that ``config`` asks for, or None."""
    if not (config.shift or config.flip or config.cutout):
        return None
    high, wide = data.input_shape[-2:]
    return Augmentation((high, wide), config.shift, config.flip, config.cutout)


def plain(x: Any) -> Tensor:
    """The values of a Brevitas tensor."""
    value: Tensor = getattr(x, "value", x)
    return value
