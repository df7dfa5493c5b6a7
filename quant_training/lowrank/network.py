"""A network whose layers are factors, with quantised tensors between them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from models.bits import BitConfig
from models.convnet import ConvSpec
from models.plan import Step, plan
from models.units import Concat, Conv, Dense, Residual, Shuffle, Unit
from quant_training.dataset import Dataset
from quant_training.errors import BudgetError, TrainingError
from quant_training.lowrank.factors import Factor, Method
from quant_training.lowrank.layers import Factors, Layers
from quant_training.pruning.channels import Cost, measure_of, whole
from quant_training.pruning.config import At
from quant_training.settings import one_line

if TYPE_CHECKING:
    from models import Network, Spec

_STEPS = 12


class LowRankConfig(BaseModel):
    """Which layers become factors, and of which rank.

    Attributes
    ----------
    method : of convolutions; dense layers always take the singular value decomposition.
    energy : share of the squared singular values that stays; or
    keep : share of ``budget`` that stays: the largest energy that meets it.
    budget, at : ``parameters``, ``macs``, ``weight_bits``, ``bit_operations``, or a function, as for a pruning.
    layers : those to factorise; None: all that become smaller by it.
    middle : type of the tensors between factors, a signed one.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    method: Method = "svd"
    energy: float | None = Field(default=None, gt=0, le=1)
    keep: float | None = Field(default=None, gt=0, le=1)
    budget: str = "macs"
    at: At = None
    layers: tuple[int, ...] | None = None
    middle: str = Field(default="INT8", pattern="^INT[2-8]$")

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise TrainingError(one_line("low rank", error, LowRankConfig)) from error

    @model_validator(mode="after")
    def _one(self) -> LowRankConfig:
        if (self.energy is None) == (self.keep is None):
            raise ValueError("give 'energy' or 'keep', and not both")
        if self.budget == "channels":
            raise ValueError("the budget 'channels' is for prunings, low rank adds layers; take parameters or macs")
        if self.energy is not None and self.model_fields_set & {"budget", "at"}:
            raise ValueError("a budget is kept by 'keep'; leave out 'budget' and 'at' with 'energy'")
        return self

    def check_layers(self, layers: int) -> None:
        """Whether a network of so many layers has all that are named.

        Raises
        ------
        TrainingError : it has not.
        """
        for layer in self.layers or ():
            if not 0 <= layer < layers:
                raise TrainingError(f"low rank: there is no layer {layer}; the network has layers 0 to {layers - 1}")


def factorise(
    model: Network, data: Dataset, config: LowRankConfig, *, cost: Cost | None = None, progress: bool = False,
) -> Network:
    """A copy of ``model`` in which layers are products of smaller ones; fine-tune it afterwards.

    Between factors stands a signed quantiser behind a normalisation that is set from ``data`` so that, but for rounding, the
    product is what the layer was.

    Parameters
    ----------
    cost : hardware cost of a shape with its types, for a budget that is not counted.
    progress : show a bar over the layers; ``cp`` takes seconds for each of some hundred channels.

    Raises
    ------
    TrainingError : no layer becomes smaller, the budget cannot be met, or a layer does not exist.
    """
    config.check_layers(model.spec.layers)
    layers = Layers.of(model, config.method, config.layers)
    if config.energy is None:
        energy = _within(model, layers, config, measure_of(config.budget, cost, "low rank"))
    elif layers.outlined(config.energy):
        energy = config.energy
    else:
        raise TrainingError(f"low rank: no layer becomes smaller at an energy of {config.energy:g}; lower it")
    found = layers.factors(energy, progress=progress)
    small = _built(model, found, config)
    _settle(small, found, torch.from_numpy(data.train.take(1024).x))
    return small.eval()


def _within(model: Network, layers: Layers, config: LowRankConfig, measure: Cost) -> float:
    """The largest energy that meets the budget; only ranks are looked at."""
    assert config.keep is not None  # one of the two, by the settings' own check
    full = whole(measure, model.spec, model.bits, config.budget, "low rank")

    def left(energy: float) -> float:
        found = layers.outlined(energy)
        return measure(*_shape(model.spec, model.bits, found, config.middle)) if found else full

    low, high = 0.0, 1.0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if left(middle) <= config.keep * full else (low, middle)
    if not low:
        raise BudgetError(f"low rank: {config.budget} can be lowered from {full:,.0f} to {left(1e-9):,.0f}, not to "
                          f"{config.keep * full:,.0f}; raise keep, or factorise more layers")
    return low


def _shape(spec: Spec, bits: BitConfig, found: Factors, middle: str) -> tuple[Spec, BitConfig]:
    """Shape and types with the factors in place."""
    counts = [len(found.get(layer, [None])) for layer in range(bits.layers)]
    between = {"activations": middle, "activation_scale": "float"}
    changes: dict[str, Any] = {}
    for field in fields(bits):
        values = getattr(bits, field.name)
        if not isinstance(values, tuple):
            continue
        if field.name in between:
            pieces = [[between[field.name]] * (count - 1) + list(values[layer : layer + 1]) for layer, count in enumerate(counts)]
        else:
            pieces = [[value] * count for value, count in zip(values, counts, strict=True)]
        changes[field.name] = tuple(value for piece in pieces for value in piece)
    types = replace(bits, **changes)
    if isinstance(spec, ConvSpec):
        return replace(spec, units=_units(plan(spec.units, spec.input_shape), found)), types
    widths: list[int] = []
    for layer, outputs in enumerate(spec.widths[1:]):
        widths += [len(part.weights) for part in found.get(layer, [])[:-1]] + [outputs]
    return replace(spec, hidden=tuple(widths[:-1])), types


def _units(steps: Sequence[Step], found: Factors) -> tuple[Unit, ...]:
    units: list[Unit] = []
    for step in steps:
        unit, parts = step.unit, found.get(step.layer if step.layer is not None else -1)
        if isinstance(unit, Residual):
            units.append(replace(unit, residual=cast("tuple[Conv | Shuffle, ...]", _units(step.branches[0], found))))
        elif isinstance(unit, Concat):
            units.append(replace(unit, concat=tuple(_units(branch, found) for branch in step.branches)))
        elif parts and isinstance(unit, Dense):
            units += [Dense(len(part.weights)) for part in parts]
        elif parts and isinstance(unit, Conv):
            units += [_convolution(unit, part) for part in parts]
        else:
            units.append(unit)
    return tuple(units)


def _convolution(unit: Conv, part: Factor) -> Conv:
    axes = part.first_axis, part.second_axis
    stride, padding = (tuple(value if axis else none for value, axis in zip(pair, axes, strict=True))
                       for pair, none in ((unit.stride, 1), (unit.padding, 0)))
    kernel = part.weights.shape[2], part.weights.shape[3]
    return Conv(len(part.weights), kernel, (stride[0], stride[1]), (padding[0], padding[1]), 0 if part.depthwise else 1)


def _built(model: Network, found: Factors, config: LowRankConfig) -> Network:
    import models

    small = models.build(*_shape(model.spec, model.bits, found, config.middle), seed=0)
    state = {name: tensor for name, tensor in model.state_dict().items() if not name.startswith("layers.")}
    position = 0
    for index, layer in enumerate(model.layers):
        parts = found.get(index)
        last = position + (len(parts) - 1 if parts else 0)
        for name, tensor in layer.state_dict().items():
            # Activation and normalisation belong behind the last factor; the scales of its weights are set anew.
            if not parts or not name.startswith("linear."):
                state[f"layers.{last}.{name}"] = tensor
        for number, part in enumerate(parts or ()):
            state[f"layers.{position + number}.linear.weight"] = torch.from_numpy(part.weights.astype(np.float32))
        position = last + 1
    small.load_state_dict(state, strict=False)
    return small


def _settle(model: Network, found: Factors, x: torch.Tensor) -> None:
    """Set normalisation, scales and the weights behind them, from front to back."""
    first, handles = 0, []
    with torch.no_grad():
        for index in range(model.spec.layers - sum(len(parts) - 1 for parts in found.values())):
            parts = found.get(index)
            for number in range(len(parts) if parts else 0):
                layer = model.layers[first + number]
                layer.reset_weight_scale()
                if number < len(parts or ()) - 1:
                    handles.append(layer.linear.register_forward_hook(_between(layer, model.layers[first + number + 1])))
            first += len(parts) if parts else 1
        model.eval()
        model(x)
    for handle in handles:
        handle.remove()


def _between(layer: Any, following: Any) -> Callable[..., None]:
    """When the sums of a factor are first seen: normalise them, and let the next factor undo it."""

    def hook(_module: Any, _inputs: Any, output: Any) -> None:
        sums = getattr(output, "value", output).transpose(0, 1).flatten(1)
        if layer.norm is None:
            layer.calibrate(float(sums.square().mean().sqrt()))
            return
        norm, mean, spread = layer.norm, sums.mean(dim=1), sums.std(dim=1).clamp_min(1e-6)
        norm.running_mean.copy_(mean)
        norm.running_var.copy_(spread.square() - norm.eps)
        norm.weight.fill_(1.0)
        norm.bias.copy_(mean / spread)  # what comes out is the sum over its spread, with its mean
        layer.calibrate(float((sums / spread[:, None]).square().mean().sqrt()))
        weight = following.linear.weight
        shape = (-1, *[1] * (weight.dim() - 1)) if weight.shape[1] != len(spread) else (1, -1, *[1] * (weight.dim() - 2))
        weight.mul_(spread.reshape(shape))
        following.reset_weight_scale()

    return hook
