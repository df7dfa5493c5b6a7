"""What Lightning does beside the training: snapshots and the progress bar. Import it only to train, as `quant_training.loop`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from lightning.pytorch.callbacks import Callback, Checkpoint


class Snapshot(Checkpoint):
    """Writes the state of the run at the end of an epoch, whole or not at all.

    The file is Lightning's own checkpoint format, a torch file. It is only ever read with
    ``weights_only=True``, which builds tensors and plain values and runs no code of the file.
    """

    def __init__(self, path: Path, seconds: float) -> None:
        self.path, self.seconds, self.last = path, seconds, time.monotonic()

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        del pl_module
        due = time.monotonic() - self.last >= self.seconds
        if not trainer.strategy.reduce_boolean_decision(due, all=False):
            return
        temporary = self.path.with_name(f".{self.path.name}.tmp")
        trainer.save_checkpoint(temporary)
        if trainer.is_global_zero:
            temporary.replace(self.path)
        self.last = time.monotonic()


class Progress(Callback):
    """One bar over all epochs, with the time left."""

    def __init__(self) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
        from rich.progress import Progress as Bar

        self.bar = Bar(
            TextColumn("training"), BarColumn(bar_width=16), MofNCompleteColumn(), TextColumn("epochs"), TimeElapsedColumn(),
            TextColumn("left"), TimeRemainingColumn(), TextColumn("{task.fields[state]}"), transient=False,
        )
        self.task: Any = None

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        del pl_module
        if trainer.is_global_zero:
            self.bar.start()
            self.task = self.bar.add_task("training", total=trainer.max_epochs, completed=trainer.current_epoch, state="")

    # Lightning calls this class at the end of an epoch before the module has judged it, so the bar moves at the next start.
    def on_train_epoch_start(self, trainer: Any, pl_module: Any) -> None:
        del trainer
        self._show(pl_module.history)

    def on_train_end(self, trainer: Any, pl_module: Any) -> None:
        del trainer
        self._show(pl_module.history)

    def _show(self, history: list[dict[str, float]]) -> None:
        if self.task is None or not history:
            return
        # Short, so that the time left stays in sight on 80 columns.
        row = history[-1]
        state = f"val {100 * row['val_accuracy']:.1f} %" if "val_accuracy" in row else f"loss {row['train_loss']:.3f}"
        self.bar.update(self.task, completed=len(history), state=state)

    def teardown(self, trainer: Any, pl_module: Any, stage: str) -> None:
        del trainer, pl_module, stage
        self.bar.stop()
