"""Loss and accuracy."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from models.presets import Network
from quant_training.dataset import Split


def loss_of(logits: Tensor, labels: Tensor, kind: str = "cross_entropy", smoothing: float = 0.0) -> Tensor:
    """Mean loss of ``[N, C]`` logits; ``[N, 1]`` logits are a single yes/no output."""
    if kind == "squared_hinge":
        if logits.shape[1] == 1:
            target = labels.to(logits.dtype)[:, None] * 2 - 1
        else:
            target = functional.one_hot(labels, logits.shape[1]).to(logits.dtype) * 2 - 1
        return (1 - logits * target).clamp_min(0).square().mean()
    if logits.shape[1] == 1:
        target = labels.to(logits.dtype) * (1 - smoothing) + smoothing / 2
        return functional.binary_cross_entropy_with_logits(logits[:, 0], target)
    return functional.cross_entropy(logits, labels, label_smoothing=smoothing)


def predict(logits: Tensor) -> Tensor:
    """Class of each sample, int64 ``[N]``."""
    if logits.shape[1] == 1:
        return (logits[:, 0] > 0).to(torch.int64)
    return logits.argmax(dim=1)


def accuracy_of(logits: Tensor, labels: Tensor) -> float:
    """Share of right answers, 0 to 1."""
    return float((predict(logits) == labels).to(torch.float64).mean())


# Elements of input images in one part; feature maps hold some hundred times as many.
_MAPS = 200_000


def logits_of(model: Network, x: Tensor) -> Tensor:
    """Logits ``[N, classes]`` of quantised inputs, in parts that keep feature maps small."""
    size = max(1, len(x) if len(model.spec.frame) == 1 else _MAPS // model.spec.inputs)
    return torch.cat([model.classify(x[begin:begin + size]) for begin in range(0, len(x), size)])


def evaluate(model: Network, data: Split, batch_size: int = 10_000) -> float:
    """Accuracy of ``model``, in evaluation mode, on all samples of ``data``; 0 to 1, NaN if there are none."""
    if not len(data):
        return float("nan")
    training, device = model.training, next(model.parameters()).device
    model.eval()
    right = 0
    x, y = torch.from_numpy(data.x), torch.from_numpy(data.labels)
    with torch.no_grad():
        for start in range(0, len(y), batch_size):
            rows = slice(start, start + batch_size)
            right += int((predict(logits_of(model, model.quantise(x[rows].to(device)))).cpu() == y[rows]).sum())
    model.train(training)
    return right / len(y)
