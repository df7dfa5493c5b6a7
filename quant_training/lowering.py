"""Fewer bits step by step: each stage starts from the weights of the wider one (Zhuang et al., CVPR 2018)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from models.bits import BitConfig, type_bits
from quant_training.errors import TrainingError

if TYPE_CHECKING:
    from models import Network
    from quant_training.config import TrainConfig
    from quant_training.dataset import Dataset
    from quant_training.training import TrainResult


def lower_bits(
    model: Network, data: Dataset, stages: Sequence[BitConfig | str | Mapping[str, Any]], config: TrainConfig,
) -> list[TrainResult]:
    """Train ``model``'s network with the types of each stage in turn, each from the weights of the stage before.

    Parameters
    ----------
    model : where to start; it stays as it is.
    stages : types, for example ``["w8a8", "w4a4", "w2a2"]``; no stage may have a wider tensor than the one before.
    config : of every stage; with ``output`` each gets a folder of its own in there, and ``resume`` continues in the stage that
        was interrupted.

    Raises
    ------
    TrainingError : no stages, or a stage that widens a tensor.
    """
    import models
    from quant_training.training import train

    wanted = [BitConfig.parse(stage, model.bits.layers) for stage in stages]
    if not wanted:
        raise TrainingError("lower_bits: no stages; give types such as w8a8, w4a4, w2a2")
    for number, (wide, narrow) in enumerate(zip([model.bits, *wanted], wanted, strict=False), 1):
        _check(number, wide, narrow)
    results: list[TrainResult] = []
    for number, bits in enumerate(wanted, 1):
        source = results[-1].model if results else model
        lowered = models.build(model.spec, bits, seed=config.seed)
        models.load_weights(lowered, source)
        folder = None if config.output is None else config.output / f"stage{number}"
        settings = config.model_copy(update={"output": folder})
        results.append(train(lowered, data, settings))
    return results


def _check(number: int, wide: BitConfig, narrow: BitConfig) -> None:
    for kind in ("weights", "activations"):
        for layer, (before, after) in enumerate(zip(getattr(wide, kind), getattr(narrow, kind), strict=True)):
            if type_bits(after) > type_bits(before):
                raise TrainingError(f"stage {number}: {kind}[{layer}] goes from {before} to {after}, which is wider; "
                                    "order the stages from wide to narrow")


def halved(bits: BitConfig) -> BitConfig:
    """``bits`` with half of the bits in every INT and UINT type, at least 2."""
    def half(name: str) -> str:
        kind = name.rstrip("0123456789")
        return f"{kind}{max(2, type_bits(name) // 2)}" if kind in ("INT", "UINT") and type_bits(name) > 1 else name

    return replace(bits, weights=tuple(map(half, bits.weights)), activations=tuple(map(half, bits.activations)))
