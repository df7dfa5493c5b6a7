"""What is known of a network while a recipe is read, so that faults are told before anything is trained."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from models import BitConfig, ModelError, Spec, spec_of
from models.bits import FLOAT
from quant_training.distillation import DistilConfig, check_alike
from quant_training.errors import TrainingError
from quant_training.lowrank.network import LowRankConfig
from quant_training.pruning.config import COUNTED, PruneConfig

if TYPE_CHECKING:
    from quant_training.recipes.config import Stage

# Short names mean the same for any number of layers.
_ANY = 2


@dataclass(frozen=True)
class Known:
    """The network that a stage leaves, as far as settings tell.

    Attributes
    ----------
    shape : with its inputs and classes.
    layers : their number; None where training decides, as ranks and added stages do.
    types : of its tensors; None where training decides.
    float_only : whether all tensors are float, which low rank leaves so.
    """

    shape: Spec
    layers: int | None
    types: BitConfig | None
    float_only: bool = False

    @classmethod
    def of(cls, model: Any) -> Known:
        """The network that a recipe begins with."""
        try:
            shape = spec_of(model)
        except ModelError as error:
            raise TrainingError(f"recipe: model: {error}") from error
        return cls(shape, shape.layers, BitConfig.parse("float", shape.layers), True)

    def after(self, stage: Stage, teacher: Known | None, *, added: bool) -> Known:
        """What ``stage`` leaves, if this is what it gets.

        Parameters
        ----------
        teacher : of the stage.
        added : whether a caller added its kind, so that nothing is known of what it does.

        Raises
        ------
        TrainingError, ModelError : it cannot be done.
        """
        if added:
            return replace(self, layers=None, types=None, float_only=False)
        self._check(stage)
        found = self if stage.model is None else replace(self, shape=(shape := spec_of(stage.model)), layers=shape.layers)
        if stage.bits is not None:
            types = _types(stage.bits, found.layers)
            found = replace(found, types=types, float_only=types is not None and {*types.weights, *types.activations} == {FLOAT})
        if teacher is not None:
            check_alike(found.shape, teacher.shape)
            if isinstance(stage.technique, DistilConfig):
                stage.technique.check_layers(found.layers, teacher.layers)
        if stage.kind == "low_rank":
            return replace(found, layers=None, types=None)
        return replace(found, types=None) if stage.kind == "learn_bits" else found

    def _check(self, stage: Stage) -> None:
        """Whether the technique of ``stage`` suits this network."""
        technique = stage.technique
        if isinstance(technique, PruneConfig | LowRankConfig):
            if self.layers is not None:
                technique.check_layers(self.layers)
            floats = self.float_only or (self.types is not None and not self.types.quantised)
            if technique.budget not in COUNTED and floats:
                raise TrainingError(f"the budget '{technique.budget}' is of hardware, which float tensors have none of; put "
                                    "distil or lower before it, or give pretrain bits")
        if stage.kind == "learn_bits" and stage.bits is None and self.float_only:
            raise TrainingError("learned bits: the network is float, so no layer has a width to learn; give bits, for example "
                                "w8a8")


def _types(bits: Any, layers: int | None) -> BitConfig | None:
    if layers is None and not isinstance(bits, str):
        return None
    return BitConfig.parse(bits, layers or _ANY)
