"""What a caller may add to recipes: kinds of stages and hardware costs that this package cannot know."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from quant_training.errors import TrainingError
from quant_training.pruning.config import COUNTED

if TYPE_CHECKING:
    from pydantic import BaseModel

    from models import Network
    from quant_training.hardware_loss import Cost
    from quant_training.pruning.channels import Cost as Budget
    from quant_training.recipes.stages import Work


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a stage made.

    Attributes
    ----------
    model : its network, in evaluation mode.
    masked : whether weights that are zero have to stay so from now on.
    figures : more values for its row; ``note`` is shown below the table.
    """

    model: Network
    masked: bool
    figures: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Kind:
    """A kind of stage.

    Attributes
    ----------
    settings : class of its settings, which raises a TrainingError for faulty ones; those of a training are known anyway.
    perform : carries it out.
    """

    settings: type[BaseModel]
    perform: Callable[[Work], Outcome]


@dataclass(frozen=True)
class Plugins:
    """All that a caller adds.

    Attributes
    ----------
    stages : kinds of stages by the name that a recipe uses.
    costs : functions that make a hardware cost of a number (cycles a frame for ``luts``, LUTs for ``cycles``), by name; they
        come before the built-in ones.
    budgets : likewise, functions of shape and types that price hardware, for prunings and low rank; there are no built-in ones.
    """

    stages: Mapping[str, Kind] = field(default_factory=dict)
    costs: Mapping[str, Callable[[float], Cost]] = field(default_factory=dict)
    budgets: Mapping[str, Callable[[float], Budget]] = field(default_factory=dict)

    def cost(self, name: str, at: float | None) -> Cost:
        """The hardware cost ``name``.

        Raises
        ------
        TrainingError : there is none of this name, or it needs a number.
        """
        from quant_training.hardware_loss import CycleCost, LutCost, bit_operations

        if name == "bit_operations":
            if at is not None:
                raise TrainingError(f"the cost bit_operations takes no number, and at is {at:g}; leave at out")
            return bit_operations
        makers: dict[str, Callable[[float], Cost]] = {"luts": lambda cycles: LutCost(int(cycles)), "cycles": CycleCost}
        makers |= self.costs
        if name not in makers:
            raise TrainingError(f"there is no hardware cost '{name}'; take one of bit_operations, {', '.join(makers)}")
        return makers[name](_number(f"the hardware cost '{name}'", name, at))

    def budget(self, name: str, at: float | None) -> Budget | None:
        """The function of shape and types behind a budget; None for one that is counted.

        Raises
        ------
        TrainingError : there is none of this name, or it needs a number, or takes none.
        """
        if name in COUNTED:
            if at is not None:
                raise TrainingError(f"the budget {name} takes no number, and at is {at:g}; leave at out")
            return None
        if name not in self.budgets:
            told = "is a function that only Python can give" if name == "cost" else "does not exist here"
            raise TrainingError(f"the budget '{name}' {told}; take one of {', '.join((*COUNTED, *self.budgets))}")
        return self.budgets[name](_number(f"the budget '{name}'", name, at))


def _number(what: str, name: str, at: float | None) -> float:
    if at is None:
        meaning = {"luts": "cycles a frame", "cycles": "LUTs"}.get(name, "value")
        raise TrainingError(f"{what} needs a number of {meaning}; set at")
    return at
