"""How much a network would miss each weight and each channel.

================ ============================================== ==================================================
criterion        weight w                                       channel
================ ============================================== ==================================================
magnitude        abs(w), mean 1 in each layer                    mean over its weights (Li et al., arXiv 1608.08710)
activation       abs(w) rms(x), mean 1 in each layer             mean of abs(x), mean 1 in each layer
                 (Sun et al., arXiv 2306.11695)
taylor           (g w)^2, mean over batches                      (sum of g w)^2 over its weights, mean over batches
                 (Molchanov et al., CVPR 2019, eq. 8)
fisher           w^2 F / 2, F the mean of g^2 over small         sum over its weights: the diagonal alone, as if they
                 batches: LeCun et al., Optimal Brain Damage     were independent
                 (NIPS 1989), with the diagonal of the
                 Fisher information for that of the Hessian
random           uniform                                        uniform
================ ============================================== ==================================================
g is the gradient of the loss in evaluation mode, x the input of the weight.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from quant_training.dataset import Split
from quant_training.errors import TrainingError
from quant_training.metrics import loss_of

if TYPE_CHECKING:
    from models import Network

_BATCH = 128
# The Fisher information is of single samples; batches of a few are a tenth of the work and order weights nearly alike.
_SMALL = 8
_SMALL_SAMPLES = 256


@dataclass(frozen=True, eq=False)
class Scores:
    """Scores by layer; the larger, the more a network would miss it.

    Attributes
    ----------
    weights : float32, in the shape of each layer's weights.
    makers : float32 ``[outputs]``: what each layer says of its output channels; None if the criterion looks at inputs.
    takers : float32 ``[inputs]``: what each layer says of its input channels (columns of a dense layer); else None.
    """

    weights: list[Tensor]
    makers: list[Tensor] | None
    takers: list[Tensor] | None


def scores(model: Network, data: Split, criterion: str, *, samples: int = 1024, seed: int = 0) -> Scores:
    """Scores of all weights and channels of ``model``, on the first ``samples`` of ``data``.

    Raises
    ------
    TrainingError : no samples, or gradients that are not finite.
    """
    if not len(data) and criterion in ("activation", "taylor", "fisher"):
        raise TrainingError(f"the criterion '{criterion}' needs training samples; use magnitude, or give data")
    weights = [layer.linear.weight.detach() for layer in model.layers]
    if criterion == "random":
        generator = torch.Generator().manual_seed(seed)
        draws = [torch.rand(weight.shape, generator=generator) for weight in weights]
        return Scores(draws, [torch.rand(len(weight), generator=generator) for weight in weights], None)
    if criterion == "magnitude":
        found = [_unit(weight.abs()) for weight in weights]
        return Scores(found, [_rows(score).mean(dim=1) for score in found], None)
    if criterion == "activation":
        return _activation(model, data.take(samples), weights)
    return _gradient(model, data.take(samples), weights, criterion)


def _unit(score: Tensor) -> Tensor:
    return score / score.mean().clamp_min(1e-12)


def _rows(score: Tensor) -> Tensor:
    return score.flatten(1)


def _activation(model: Network, data: Split, weights: list[Tensor]) -> Scores:
    squares = [torch.zeros(layer.shape.inputs) for layer in model.layers]
    sizes = [torch.zeros(layer.shape.inputs) for layer in model.layers]
    counts = [0] * len(weights)

    def look(index: int) -> Callable[..., None]:
        def hook(_module: Any, inputs: tuple[Any, ...]) -> None:
            x = getattr(inputs[0], "value", inputs[0]).transpose(0, 1).flatten(1)
            squares[index] += x.square().sum(dim=1)
            sizes[index] += x.abs().sum(dim=1)
            counts[index] += x.shape[1]
        return hook

    hooks = [layer.linear.register_forward_pre_hook(look(index)) for index, layer in enumerate(model.layers)]
    try:
        with torch.no_grad():
            _forward(model, data)
    finally:
        for handle in hooks:
            handle.remove()
    found = []
    for weight, square, count in zip(weights, squares, counts, strict=True):
        rms = (square / count).sqrt()
        grouped = weight.shape[1] != len(rms)
        size = rms.repeat_interleave(len(weight) // len(rms)) if grouped and len(weight) % len(rms) == 0 else rms
        shape = (-1, 1, *[1] * (weight.dim() - 2)) if grouped else (1, -1, *[1] * (weight.dim() - 2))
        # A group of several channels takes their mean.
        size = size if len(size) in (weight.shape[0], weight.shape[1]) else rms.mean().expand(weight.shape[0])
        found.append(_unit(weight.abs() * size.reshape(shape)))
    return Scores(found, None, [_unit(size / count) for size, count in zip(sizes, counts, strict=True)])


def _forward(model: Network, data: Split) -> None:
    training = model.training
    model.eval()
    x = torch.from_numpy(data.x)
    for begin in range(0, len(x), _BATCH):
        model(x[begin : begin + _BATCH])
    model.train(training)


def _gradient(model: Network, data: Split, weights: list[Tensor], criterion: str) -> Scores:
    fisher = criterion == "fisher"
    size, data = (_SMALL, data.take(_SMALL_SAMPLES)) if fisher else (_BATCH, data)
    training, parameters = model.training, [layer.linear.weight for layer in model.layers]
    model.eval()
    x, y = torch.from_numpy(data.x), torch.from_numpy(data.labels)
    elements = [torch.zeros_like(weight) for weight in weights]
    channels = [torch.zeros(len(weight)) for weight in weights]
    batches = range(0, len(x), size)
    for begin in batches:
        loss = loss_of(model(x[begin : begin + size]), y[begin : begin + size])
        for index, gradient in enumerate(torch.autograd.grad(loss, parameters)):
            change = gradient * weights[index]
            elements[index] += change.square() / (2 if fisher else 1)
            channels[index] += change.square().flatten(1).sum(1) / 2 if fisher else change.flatten(1).sum(1).square()
    model.train(training)
    if not all(bool(torch.isfinite(score).all()) for score in elements):
        raise TrainingError(
            f"the criterion '{criterion}' met gradients that are not finite; prune by magnitude, or train longer first"
        )
    return Scores([score / len(batches) for score in elements], [score / len(batches) for score in channels], None)
