"""What a network takes before any hardware is built: weights, multiplications, bits. Source of all figures: counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

from models.bits import BitConfig, type_bits
from models.convnet import ConvSpec
from models.levels import grid_bits
from models.plan import Step, plan
from models.units import Concat, Conv, Dense, Residual

if TYPE_CHECKING:
    from models import Network, Spec

_SOURCE = -1  # the layer "before" the first one: the input


@dataclass(frozen=True)
class LayerSize:
    """One layer.

    Attributes
    ----------
    weights : their number.
    outputs : neurons or filters.
    positions : how often each weight is used in a frame: output positions of a convolution, 1 for a dense layer.
    weight_type, input_type, output_type : of a weight, an input element and an output; None for sums as they are.
    depthwise : each output has an input channel of its own.
    """

    weights: int
    outputs: int
    positions: int
    weight_type: str
    input_type: str
    output_type: str | None
    depthwise: bool = False

    @property
    def weight_bits(self) -> int:
        """Bits that store one weight; 32 for float."""
        return type_bits(self.weight_type)

    @property
    def input_bits(self) -> int:
        """Bits of one input element; 32 for float."""
        return type_bits(self.input_type)

    @property
    def macs(self) -> int:
        """Multiply-accumulate operations a frame."""
        return self.weights * self.positions

    @property
    def bits(self) -> int:
        """Bits of all weights."""
        return self.weights * self.weight_bits

    @property
    def bit_operations(self) -> int:
        """MACs times the bits of both factors (Baskin et al., arXiv 1804.10969, without the accumulator).

        The factor of a codebook's weight is its level on the grid, which has more bits than the code that is stored.
        """
        return self.macs * grid_bits(self.weight_type) * self.input_bits


@dataclass(frozen=True)
class Footprint:
    """A whole network.

    Attributes
    ----------
    parameters, macs, weight_bits, bit_operations : sums over the layers, zeros counted.
    sparsity : share of quantised weights that are zero.
    """

    parameters: int
    macs: int
    weight_bits: int
    bit_operations: int
    sparsity: float

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return dict(vars(self))


def layer_sizes(spec: Spec, bits: BitConfig) -> list[LayerSize]:
    """Sizes of all layers, in the order of ``bits``."""
    if not isinstance(spec, ConvSpec):
        inputs, outputs = (bits.input, *bits.activations), (*bits.activations, None)
        shapes = zip(spec.widths, spec.widths[1:], bits.weights, inputs, outputs, strict=False)
        return [LayerSize(a * b, b, 1, weight, given, out) for a, b, weight, given, out in shapes]
    found: dict[int, LayerSize] = {}
    _walk(plan(spec.units, spec.input_shape), _SOURCE, bits, found)
    return [found[index] for index in range(bits.layers)]


def _walk(steps: Sequence[Step], source: int, bits: BitConfig, found: dict[int, LayerSize]) -> int:
    """Add the layers of ``steps``; ``source`` and the result are the layers whose activation type goes in and comes out."""
    for step in steps:
        unit = step.unit
        if isinstance(unit, Conv | Dense):
            assert step.layer is not None  # by the construction of a plan
            given = bits.input if source == _SOURCE else bits.activations[source]
            channels, *maps = unit.after(step.size)
            inputs, groups = step.size[0], 1 if isinstance(unit, Dense) else unit.groups or step.size[0]
            each = prod(step.size) if isinstance(unit, Dense) else inputs // groups * prod(unit.kernel)
            found[step.layer] = LayerSize(
                each * channels, channels, prod(maps), bits.weights[step.layer], given,
                bits.activations[step.layer] if step.layer < bits.layers - 1 else None, groups == inputs == channels > 1)
            source = step.layer
        elif isinstance(unit, Residual | Concat):
            for branch in step.branches:
                _walk(branch, source, bits, found)
            ends = [end for end in step.ends if end is not None]
            source = ends[0] if isinstance(unit, Residual) else ends[-1]
    return source


def footprint(model: Network) -> Footprint:
    """Counts of ``model`` as it is, and the share of its quantised weights that are zero."""
    import torch

    layers = layer_sizes(model.spec, model.bits)
    with torch.no_grad():
        zeros = sum(int((_values(layer.linear.quant_weight()) == 0).sum()) for layer in model.layers)
    weights = sum(layer.weights for layer in layers)
    return Footprint(
        weights, sum(layer.macs for layer in layers), sum(layer.bits for layer in layers),
        sum(layer.bit_operations for layer in layers), zeros / weights,
    )


def _values(tensor: Any) -> Any:
    return getattr(tensor, "value", tensor)
