"""The cost model as a loss for training: `features` at whole widths, and straight lines in between for the gradients."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from itertools import product
from math import ceil, isfinite
from typing import TYPE_CHECKING

from hw_flow.cost.layer import LayerShape, luts_alone, product_luts
from hw_flow.cost.model import DEFAULT_COEFFICIENTS
from hw_flow.cost.shape import Kind, check_at

if TYPE_CHECKING:
    from torch import Tensor

    from quant_training.hardware_loss import LayerLoad


@dataclass(frozen=True)
class ModelCost:
    """What the cost model says of a network's layers, for `quant_training.hardware_loss.HardwareLoss`.

    Everything is made of LUTs: a width that grows into DSP blocks must not become cheaper.

    Attributes
    ----------
    kind : ``luts`` of the layers at ``at`` cycles a frame, or ``cycles`` a frame if ``at`` LUTs were shared out among the
        products of all layers by their need.
    at : cycles, or LUTs.
    coefficients : LUTs per unit of each feature.
    """

    kind: Kind
    at: float
    coefficients: Mapping[str, float] = field(default_factory=lambda: dict(DEFAULT_COEFFICIENTS))

    def __post_init__(self) -> None:
        check_at(self.kind, self.at)

    def __call__(self, layers: Sequence[LayerLoad]) -> Tensor:
        """Sum over the layers."""
        import torch

        return sum((self._layer(layer) for layer in layers), start=torch.zeros(()))

    def _layer(self, layer: LayerLoad) -> Tensor:
        import torch

        found = torch.zeros(())
        for (weight, some), (given, more), (output, last) in product(
                _ends(layer.weight_type, layer.weight_bits), _ends(layer.input_type, layer.input_bits),
                _ends(layer.output_type, layer.output_bits)):
            shape = LayerShape(layer.inputs, layer.outputs, layer.positions, str(weight), str(given), output, layer.depthwise)
            found = found + self._price(shape) * some * more * last
        return found

    @cached_property
    def _price(self) -> Callable[[LayerShape], float]:
        if self.kind == "luts":
            return lru_cache(maxsize=None)(lambda shape: luts_alone(shape, int(self.at), self.coefficients))
        return lru_cache(maxsize=None)(lambda shape: shape.macs * product_luts(shape, self.coefficients) / self.at)


def lut_cost(target_cycles: int, coefficients: Mapping[str, float] = DEFAULT_COEFFICIENTS) -> ModelCost:
    """LUTs of a network's layers at ``target_cycles`` a frame.

    Parameters
    ----------
    coefficients : LUTs per unit of each feature: the defaults, or those of a `Calibration`.
    """
    return ModelCost("luts", target_cycles, dict(coefficients))


def cycle_cost(luts: float, coefficients: Mapping[str, float] = DEFAULT_COEFFICIENTS) -> ModelCost:
    """Cycles a frame with ``luts`` to share out, likewise."""
    return ModelCost("cycles", luts, dict(coefficients))


def _ends(kind: str | None, bits: Tensor) -> list[tuple[str | None, Tensor | float]]:
    """The whole widths around ``bits`` as types, and their shares; one type where nothing is learned.

    Learned widths are whole in a forward pass, and their gradient is what the last bit costs, or the next one at the least.
    """
    name = (kind or "").rstrip("0123456789")
    if name not in ("INT", "UINT"):
        return [(kind, 1.0)]
    width = float(bits)
    if not isfinite(width):
        return [(kind, bits)]  # the loss says so
    if not bits.requires_grad and width == int(width):
        return [(f"{name}{int(width)}", 1.0)]
    low = max(ceil(width) - 1, 2 if name == "INT" else 1)
    return [(f"{name}{low}", low + 1 - bits), (f"{name}{low + 1}", bits - low)]
