"""A smaller network with the channels that are left, and their weights."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from models.convnet import ConvSpec
from models.plan import Step, plan
from models.units import Concat, Conv, Dense, Residual, Shuffle, Unit
from quant_training.pruning.wiring import Wiring, wiring_of

if TYPE_CHECKING:
    from torch import Tensor

    from models import Network, Spec


def smaller_spec(spec: Spec, wiring: Wiring, removed: Collection[int]) -> Spec:
    """The shape without the channels ``removed``."""
    counts = [sum(channel not in removed for channel in outputs) for outputs in wiring.outputs]
    if isinstance(spec, ConvSpec):
        return replace(spec, units=_units(plan(spec.units, spec.input_shape), counts))
    return replace(spec, hidden=tuple(counts[:-1]))


def _units(steps: Sequence[Step], counts: Sequence[int]) -> tuple[Unit, ...]:
    found: list[Unit] = []
    for step in steps:
        unit = step.unit
        if isinstance(unit, Dense) and step.layer is not None:
            found.append(Dense(counts[step.layer]))
        elif isinstance(unit, Conv) and step.layer is not None:
            depthwise = (unit.groups or step.size[0]) == step.size[0] == unit.conv > 1
            found.append(replace(unit, conv=counts[step.layer], groups=0 if depthwise else unit.groups))
        elif isinstance(unit, Residual):
            found.append(replace(unit, residual=cast("tuple[Conv | Shuffle, ...]", _units(step.branches[0], counts))))
        elif isinstance(unit, Concat):
            found.append(replace(unit, concat=tuple(_units(branch, counts) for branch in step.branches)))
        else:
            found.append(unit)
    return tuple(found)


def shrink(model: Network, removed: Collection[int]) -> Network:
    """A copy of ``model`` without the channels ``removed`` (numbers of its wiring); all tensors really become smaller.

    What the remaining channels compute does not change, but for what the removed ones contributed.
    """
    import torch

    import models

    wiring = wiring_of(model.spec)
    small = models.build(smaller_spec(model.spec, wiring, removed), model.bits, seed=0)
    assert small.spec.layers == model.spec.layers  # the wiring fixes channels whose removal would change that
    state: dict[str, Tensor] = {name: tensor for name, tensor in model.state_dict().items() if not name.startswith("layers.")}
    for index, layer in enumerate(model.layers):
        rows = torch.tensor([i for i, channel in enumerate(wiring.outputs[index]) if channel not in removed])
        columns = torch.tensor([i for i, channel in enumerate(wiring.inputs[index]) if channel not in removed])
        for name, tensor in layer.state_dict().items():
            # Whatever a layer has one of for each output: weights, bias, normalisation, scales per channel.
            kept = tensor[rows] if tensor.dim() and len(tensor) == layer.shape.outputs else tensor
            if name == "linear.weight" and wiring.inputs[index]:
                kept = kept[:, columns]
            state[f"layers.{index}.{name}"] = kept
    small.load_state_dict(state)
    return small.train(model.training)
