"""What a training leaves in its folder: whose run it is, where it stands, and how it ended."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from quant_training.config import TrainConfig
from quant_training.dataset import Dataset
from quant_training.errors import TrainingError

if TYPE_CHECKING:
    from models import Network
    from quant_training.hooks import Hook

RESUME = "resume.ckpt"


def run_key(model: Network, data: Dataset, config: TrainConfig, hooks: Sequence[Hook]) -> str:
    """Hash of all that determines the result, weights to start from included, so that another run is not continued."""
    settings = config.decisive() | {"spec": model.spec.to_dict(), "bits": model.bits.to_dict()}
    settings |= {"hooks": [hook.key() for hook in hooks]}
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    if config.output is not None:
        for tensor in model.state_dict().values():
            digest.update(tensor.detach().cpu().numpy().tobytes())
    digest.update(data.train.integers.tobytes())
    digest.update(data.train.labels.tobytes())
    return digest.hexdigest()


def snapshot(output: Path, key: str, config: TrainConfig) -> Path:
    """File of the run's snapshots, in a folder that is marked as that of the run ``key``.

    Raises
    ------
    TrainingError : ``resume`` finds another run.
    """
    path, marker = output / RESUME, output / "run.key"
    if path.exists():
        if not config.resume:
            path.unlink()
        elif not marker.exists() or marker.read_text() != key:
            raise TrainingError(f"{output}: holds a run with other settings or data; give another output, or leave resume out")
    from models.checkpoint import write_text

    write_text(marker, key)
    return path


def readable(path: Path) -> str:
    """``path`` of a snapshot that can be carried on.

    Raises
    ------
    TrainingError : it is damaged.
    """
    import torch

    try:
        whole = "bitwright" in torch.load(path, map_location="cpu", weights_only=True)
        reason = "not a snapshot of a training"
    except Exception as error:  # noqa: BLE001 - broken files raise anything from EOFError to struct.error
        whole, reason = False, f"{type(error).__name__}"
    if not whole:
        raise TrainingError(f"{path}: damaged ({reason}); remove it to begin this training again")
    return str(path)


def finished(output: Path, key: str) -> dict[str, Any] | None:
    """Metrics of the complete run ``key`` in ``output``; None if there is no such run."""
    try:
        settings, metrics = (json.loads((output / name).read_text()) for name in ("config.json", "metrics.json"))
        return dict(metrics) if settings["key"] == key else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def data_settings(data: Dataset) -> dict[str, Any]:
    """What ``config.json`` says of the data."""
    return {
        "name": data.name, "classes": list(data.classes), "input_shape": list(data.input_shape),
        "input_type": data.input_type, "input_scale": str(data.input_scale),
    }
