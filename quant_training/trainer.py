"""Lightning's trainer as this package wants it: its faults in one line, quiet, open to Ctrl-C, networks laid out for speed."""

from __future__ import annotations

import logging
import signal
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from quant_training.errors import TrainingError

if TYPE_CHECKING:
    import torch
    from lightning.pytorch import Trainer

    from models import Network


@contextmanager
def interruptible(trainer: Trainer) -> Iterator[None]:
    """Pass Ctrl-C on: Lightning ends the process and leaves the signal ignored."""
    main = threading.current_thread() is threading.main_thread()
    handler = signal.getsignal(signal.SIGINT)
    try:
        yield
    except SystemExit as stop:
        if trainer.interrupted:
            raise KeyboardInterrupt from stop
        raise
    finally:
        if main:
            signal.signal(signal.SIGINT, handler)


def trainer_of(switches: dict[str, Any], **options: Any) -> Trainer:
    """Lightning's trainer with the user's ``switches``; TrainingError if they do not go together on this machine."""
    from lightning.fabric.utilities.exceptions import MisconfigurationException
    from lightning.pytorch import Trainer
    from lightning.pytorch.strategies.launchers import _MultiProcessingLauncher

    given = ", ".join(f"{name} {value!r}" for name, value in switches.items())
    try:
        trainer = Trainer(**switches, **options)
    except (MisconfigurationException, ValueError, TypeError, RuntimeError, ImportError) as error:
        reason = " ".join(str(error).split())
        raise TrainingError(f"Lightning does not take {given} here ({reason}); change these settings") from error
    if isinstance(trainer.strategy.launcher, _MultiProcessingLauncher):
        raise TrainingError(
            f"{given}: this way to start processes has to copy the network, which Brevitas does not support; "
            "use strategy ddp in a script, or one device"
        )
    return trainer


@contextmanager
def quiet() -> Iterator[None]:
    """Silence Lightning's notes on hardware and on worker processes, which these loaders do not have."""
    names = ("lightning.pytorch", "lightning.fabric", "lightning.pytorch.utilities.rank_zero")
    loggers = [logging.getLogger(name) for name in names]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"lightning\..*")
        warnings.filterwarnings("ignore", message=r".*(num_workers|GPU available|isinstance\(treespec).*")
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)


def lay_out(model: Network, order: torch.memory_format) -> None:
    """Bring the weights of all convolutions into a memory order."""
    for parameter in model.parameters():
        if parameter.dim() == 4:
            parameter.data = parameter.data.contiguous(memory_format=order)
