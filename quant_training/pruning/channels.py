"""Which channels go, so that a budget is met."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite, lcm
from typing import TYPE_CHECKING

from models.bits import BitConfig
from quant_training.errors import BudgetError, TrainingError
from quant_training.pruning.config import COUNTED, PruneConfig
from quant_training.pruning.criteria import Scores
from quant_training.pruning.smaller import smaller_spec
from quant_training.pruning.stairs import descend
from quant_training.pruning.wiring import ChannelGroup, Wiring, wiring_of
from quant_training.size import layer_sizes

if TYPE_CHECKING:
    from models import Spec

Cost = Callable[["Spec", BitConfig], float]


@dataclass(frozen=True)
class Block:
    """Channels of one group that go together, so that what is left stays a multiple.

    Attributes
    ----------
    group : number of the group.
    channels : theirs.
    loss : sum of their scores.
    odd : whether they are what the group has beyond a multiple.
    """

    group: int
    channels: tuple[int, ...]
    loss: float
    odd: bool


def measure_of(kind: str, cost: Cost | None, what: str = "pruning") -> Cost:
    """The function behind the name of a budget; ``what`` asks for it."""
    if kind not in COUNTED:
        if cost is None:
            counted = ", ".join(name for name in COUNTED if name != "channels" or what == "pruning")
            raise TrainingError(f"{what}: the budget '{kind}' needs a function of shape and types; give cost, or another budget "
                                f"({counted})")
        return cost
    if kind == "channels":  # outputs of the last layer are classes
        return lambda spec, bits: float(sum(layer.outputs for layer in layer_sizes(spec, bits)[:-1]))
    field = {"parameters": "weights", "weight_bits": "bits"}.get(kind, kind)
    return lambda spec, bits: float(sum(getattr(layer, field) for layer in layer_sizes(spec, bits)))


def whole(measure: Cost, spec: Spec, bits: BitConfig, kind: str, what: str = "pruning") -> float:
    """The budget ``kind`` of a network that is to be lowered.

    Raises
    ------
    TrainingError : it is infinite, as cycles are where no folding fits.
    """
    full = measure(spec, bits)
    if not isfinite(full):
        raise TrainingError(f"{what}: {kind} of the network as it is are {full}, so no way down can be planned; allow it more, "
                            "or take another budget")
    return full


def select(spec: Spec, bits: BitConfig, scores: Scores, config: PruneConfig, *, measure: Cost, limit: float) -> set[int]:
    """Channels to remove (numbers of the wiring of ``spec``), those with the least score for what they free first.

    Parameters
    ----------
    measure, limit : what is counted, see `measure_of`, and how much of it may be left.

    Raises
    ------
    TrainingError : the budget cannot be met.
    """
    wiring = wiring_of(spec)
    full = measure(spec, bits)
    blocks = _blocks(wiring, _channel_scores(wiring, scores), config)
    gains: dict[tuple[int, int], float] = {}

    def gain(block: Block) -> float:
        key = block.group, len(block.channels)
        if key not in gains:
            gains[key] = full - measure(smaller_spec(spec, wiring, set(block.channels)), bits)
        return max(gains[key], 1e-9 * full)

    # What makes a count a multiple goes in any case; then what is missed least for what it frees.
    order = sorted(blocks, key=lambda block: (not block.odd, block.loss / gain(block)))

    def left(chosen: Sequence[Block]) -> float:
        removed = {channel for block in chosen for channel in block.channels}
        return measure(smaller_spec(spec, wiring, removed), bits) if removed else full

    least = left(order)
    if least > limit:
        raise BudgetError(
            f"pruning: {config.budget} can be lowered from {full:,.0f} to {least:,.0f}, not to {limit:,.0f}; raise the budget, "
            "or lower least and multiple"
        )
    if config.budget not in COUNTED:
        found = _stairs(blocks, lambda removed: measure(smaller_spec(spec, wiring, removed), bits) if removed else full, limit)
        if found is not None:
            return found
    odd = sum(block.odd for block in order)
    low, high = odd, len(order)
    while low < high:  # the fewest blocks that meet the budget
        middle = (low + high) // 2
        low, high = (low, middle) if left(order[:middle]) <= limit else (middle + 1, high)
    chosen = order[:low]
    for block in reversed(chosen[odd:-1]):  # the last one may have freed more than was wanted
        fewer = [other for other in chosen if other is not block]
        if block.group != chosen[-1].group and left(fewer) <= limit:
            chosen = fewer
    return {channel for block in chosen for channel in block.channels}


def _stairs(blocks: Sequence[Block], cost: Callable[[set[int]], float], limit: float) -> set[int] | None:
    groups: dict[int, list[Block]] = defaultdict(list)
    for block in blocks:
        groups[block.group].append(block)
    pieces = [[(block.channels, block.loss) for block in group] for group in groups.values()]
    return descend(pieces, [sum(block.odd for block in group) for group in groups.values()], cost, limit)


def target(full: float, config: PruneConfig) -> float:
    """What may be left of a budget that is ``full`` now."""
    if config.limit is not None:
        return config.limit
    assert config.keep is not None  # one of the two, by the settings' own check
    return config.keep * full


def by_group(wiring: Wiring, scores: Scores, counts: Mapping[int, int]) -> set[int]:
    """Channels to remove so that group ``g`` keeps ``counts[g]``, its best ones; other groups stay whole."""
    values = _channel_scores(wiring, scores)
    removed: set[int] = set()
    for number, group in enumerate(wiring.groups()):
        ranked = sorted(group.channels, key=lambda channel: values[channel])
        removed.update(ranked[: max(0, len(ranked) - counts.get(number, len(ranked)))])
    return removed


def _channel_scores(wiring: Wiring, scores: Scores) -> dict[int, float]:
    """Mean of what the layers that make or take a channel say of it."""
    said: dict[int, list[float]] = defaultdict(list)
    sides: list[tuple[Sequence[Sequence[int]], Sequence[Sequence[float]]]] = []
    if scores.makers is not None:
        sides.append((wiring.outputs, [score.tolist() for score in scores.makers]))
    if scores.takers is not None:
        # A depthwise layer takes the channels it makes.
        inputs = [columns or wiring.outputs[layer] for layer, columns in enumerate(wiring.inputs)]
        sides.append((inputs, [score.tolist() for score in scores.takers]))
    for channels, values in sides:
        for layer, row in enumerate(channels):
            if len(row) == len(values[layer]):
                for channel, value in zip(row, values[layer], strict=True):
                    said[channel].append(value)
    return defaultdict(float, {channel: sum(values) / len(values) for channel, values in said.items()})


def _blocks(wiring: Wiring, values: Mapping[int, float], config: PruneConfig) -> list[Block]:
    blocks = []
    for number, group in enumerate(wiring.groups()):
        if config.layers is not None and not set(group.makers) <= set(config.layers):
            continue
        multiple = _multiple(group, config)
        ranked = sorted(group.channels, key=lambda channel: values[channel])
        least = max(config.least, multiple)
        begin, size = 0, len(ranked) % multiple or multiple
        while len(ranked) - begin - size >= least:
            chosen = tuple(ranked[begin : begin + size])
            blocks.append(Block(number, chosen, sum(values[channel] for channel in chosen), size < multiple))
            begin, size = begin + size, multiple
    return blocks


def _multiple(group: ChannelGroup, config: PruneConfig) -> int:
    if isinstance(config.multiple, int):
        return config.multiple
    return lcm(*(config.multiple.get(layer, 1) for layer in group.makers))

