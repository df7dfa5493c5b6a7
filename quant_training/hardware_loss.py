"""The loss that training for hardware minimises: L = L_task + weight * L_hw, with L_hw from a cost model that is plugged in.

A cost model sees the layers as the numbers its formulas want, with bit widths that gradients flow through where they are
learned (see `bitwidths`). The formulas here are short ones of their own; `hw_flow.cost.training` has the cost model's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from models.bits import CODEBOOK_TYPES, type_bits
from models.convnet import ConvSpec
from models.layer import tensor_quantiser
from models.levels import grid_bits
from models.plan import Source, plan, sources
from quant_training.bitwidths import width_of
from quant_training.errors import TrainingError
from quant_training.hooks import Hook, Step
from quant_training.size import layer_sizes

if TYPE_CHECKING:
    from models import Network, Spec


@dataclass(frozen=True, eq=False)
class LayerLoad:
    """What a layer asks of the hardware.

    Attributes
    ----------
    inputs, outputs : products that each output sums up (columns of the matrix), and outputs (rows).
    positions : times a frame that the matrix is used.
    weight_bits, input_bits, output_bits : that store an element, scalars; 0 output bits where sums leave as they are.
    weight_type, input_type, output_type : of the BitConfig, whose widths may be learned; None where sums leave as they are.
    depthwise : each output has an input channel of its own.
    """

    inputs: int
    outputs: int
    positions: int
    weight_bits: Tensor
    input_bits: Tensor
    output_bits: Tensor
    weight_type: str
    input_type: str
    output_type: str | None
    depthwise: bool = False

    @property
    def macs(self) -> int:
        """Products a frame."""
        return self.inputs * self.outputs * self.positions

    @property
    def factor_bits(self) -> Tensor:
        """Bits of a weight where it is multiplied: of codebooks those of the grid that their levels lie on."""
        return torch.tensor(float(grid_bits(self.weight_type))) if self.weight_type in CODEBOOK_TYPES else self.weight_bits

    @property
    def sum_bits(self) -> Tensor:
        """Bits of a sum, from the types alone."""
        return self.factor_bits + self.input_bits + max(self.inputs - 1, 0).bit_length()


Cost = Callable[[Sequence[LayerLoad]], Tensor]


def loads(model: Network) -> list[LayerLoad]:
    """The layers of ``model`` with their present bit widths."""
    spec, bits = model.spec, model.bits
    activations = model.typed_activations()

    def width(index: int | None) -> Tensor:
        if index is None:
            return torch.tensor(float(type_bits(bits.input)))
        if index not in activations:
            return torch.tensor(float(type_bits(bits.activations[index])))
        return width_of(tensor_quantiser(activations[index][0]), type_bits(bits.activations[index]))

    result: list[LayerLoad] = []
    for index, (layer, size, source) in enumerate(zip(model.layers, layer_sizes(spec, bits), _inputs_of(spec), strict=True)):
        quantiser = getattr(layer.linear.weight_quant, "tensor_quant", None)
        stored = type_bits(layer.weight_type)
        weight = width_of(quantiser, stored) if layer.weight_type.startswith("INT") else torch.tensor(float(stored))
        result.append(LayerLoad(
            size.weights // size.outputs, size.outputs, size.positions, weight, width(source),
            width(index) if size.output_type else torch.zeros(()), size.weight_type, size.input_type, size.output_type,
            size.depthwise))
    return result


def _inputs_of(spec: Spec) -> list[int | None]:
    """Per layer the one whose activation goes into it."""
    found = {index: Source(index - 1 if index else None) for index in range(spec.layers)}
    if isinstance(spec, ConvSpec):
        found = sources(plan(spec.units, spec.input_shape))
    return [found[index].layer for index in range(spec.layers)]


def bit_operations(layers: Sequence[LayerLoad]) -> Tensor:
    """Products a frame times the bits of both factors, summed (Baskin et al., arXiv 1804.10969)."""
    return _sum(layer.macs * layer.factor_bits * layer.input_bits for layer in layers)


# LUTs of a 6-input architecture per unit of each count, rounded from those of hw_flow.cost.
_LUTS: Mapping[str, float] = {
    "node": 56.0, "bit_products": 0.96, "shift": 0.57, "accumulator": 0.53, "weights": 1.0, "level": 1.0, "compare": 0.8}
_ROM_WORDS = 64


def _product(layer: LayerLoad, coefficients: Mapping[str, float]) -> Tensor:
    """LUTs of a product a cycle; powers of two shift where that is cheaper, over the reach of their exponents."""
    plain = coefficients["bit_products"] * layer.factor_bits * layer.input_bits
    if not layer.weight_type.startswith("POW"):
        return plain
    reach = int(layer.factor_bits) - 2
    return torch.minimum(plain, coefficients["shift"] * 2 * (layer.input_bits + reach + 1))


def _memory(layer: LayerLoad, words: float, coefficients: Mapping[str, float]) -> Tensor:
    """LUTs of the memory behind a product: the weight, or its code and the table that makes the level of it."""
    if words <= 1:
        return torch.zeros(())  # constants of the logic
    rom = coefficients["weights"] * max(1.0, words / _ROM_WORDS)
    if layer.weight_type.startswith("CODE"):
        return torch.minimum(rom * layer.factor_bits, rom * layer.weight_bits + coefficients["level"] * layer.factor_bits)
    return rom * layer.weight_bits


def _sum(parts: Iterable[Tensor]) -> Tensor:
    return sum(parts, start=torch.zeros(()))


@dataclass(frozen=True)
class LutCost:
    """LUTs of all layers, each with as many products a cycle as ``target_cycles`` a frame takes: the analytic formula.

    Attributes
    ----------
    target_cycles : interval of a frame.
    coefficients : LUTs per ``node``, ``bit_products`` (products a cycle times the bits of both factors), ``shift`` (bits that a
        power of two shifts and adds), ``accumulator`` (bits), ``weights`` (LUT ROMs of 64 words by 1 bit), ``level`` (bits made
        of the codes of a codebook a cycle) and ``compare`` (bits compared with thresholds a cycle); what is not given keeps its
        default.
    """

    target_cycles: int
    coefficients: Mapping[str, float] = field(default_factory=lambda: dict(_LUTS))

    def __post_init__(self) -> None:
        if self.target_cycles < 1:
            raise TrainingError(f"target_cycles is {self.target_cycles}; give the cycles that a frame may take, at least 1")

    def __call__(self, layers: Sequence[LayerLoad]) -> Tensor:
        """Sum over the layers."""
        return _sum(self.layer(layer) for layer in layers)

    def layer(self, layer: LayerLoad) -> Tensor:
        """LUTs of one layer."""
        weights = layer.inputs * layer.outputs
        products = min(max(1.0, layer.macs / self.target_cycles), float(weights))
        rows, costs = max(1.0, products / layer.inputs), {**_LUTS, **self.coefficients}
        return (costs["node"] + products * (_product(layer, costs) + _memory(layer, weights / products, costs))
                + rows * layer.sum_bits * (costs["accumulator"] + costs["compare"] * layer.output_bits))


@dataclass(frozen=True)
class CycleCost:
    """Cycles a frame if ``luts`` were shared out among the layers by their need.

    Layers work on different frames at the same time, each for the whole interval: what one more product a cycle costs,
    times the products a frame, over the LUTs that there are.
    """

    luts: float
    coefficients: Mapping[str, float] = field(default_factory=lambda: dict(_LUTS))

    def __call__(self, layers: Sequence[LayerLoad]) -> Tensor:
        """Cycles of the interval."""
        costs = {**_LUTS, **self.coefficients}
        return _sum(layer.macs * _product(layer, costs) for layer in layers) / self.luts


class HardwareLoss(Hook):
    """Adds ``weight * cost / cost at the beginning`` to the loss of every step.

    Parameters
    ----------
    cost : of the layers; any function that gradients flow through.
    weight : of the cost; at 1.0 the whole hardware is worth one unit of the task's loss.
    name : of the cost, for the key of the run; None takes its repr.
    keep : share of the cost that is wanted: only what is above it counts, and only weights that reach it are kept as the
        best. 0 for as little as pays.
    """

    def __init__(self, cost: Cost, weight: float, name: str | None = None, keep: float = 0.0) -> None:
        if not 0 <= weight < float("inf"):
            raise TrainingError(f"the weight of the hardware cost is {weight}; give a number of at least 0")
        self.cost, self.weight, self.name, self.keep = cost, weight, name or repr(cost), keep
        self.reference: Tensor | None = None
        self.model: Network | None = None

    def key(self) -> str:
        """The cost, its weight and what is wanted."""
        return f"HardwareLoss({self.name}, {self.weight!r}, {self.keep!r})"

    def begin(self, model: Network, device: torch.device) -> None:
        """Note the cost of the network with the types of its BitConfig, which is where learned widths start."""
        del device
        import models

        self.model = model
        with torch.no_grad():
            self.reference = self.cost(loads(models.build(model.spec, model.bits, seed=0))).clamp_min(1e-6)

    def share(self, model: Network) -> Tensor:
        """Cost of ``model`` as a share of that at the beginning."""
        assert self.reference is not None
        cost = self.cost(loads(model))
        if not torch.isfinite(cost):
            raise TrainingError(f"the hardware cost {self.name} is {float(cost)}; it must be a finite number for these widths")
        return cost / self.reference

    def loss(self, step: Step, loss: Tensor) -> Tensor:
        """The task's loss and the hardware's."""
        return loss + self.weight * (self.share(step.model) - self.keep).clamp_min(0).to(loss.device)

    def settled(self, progress: float) -> bool:
        """Whether the wanted share is reached."""
        del progress
        assert self.model is not None
        with torch.no_grad():
            return self.keep <= 0 or float(self.share(self.model)) <= self.keep
