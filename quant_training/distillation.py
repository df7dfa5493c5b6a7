"""Distillation: a network learns what another one says, with or without labels.

The loss is ``alpha T^2 KL(teacher / T, student / T) + (1 - alpha) task + beta features``, where the first term is that of Hinton
et al., arXiv 1503.02531, and the last one hints (Romero et al., arXiv 1412.6550, eq. 3) or attention maps (Zagoruyko and
Komodakis, arXiv 1612.03928, eq. 2).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from torch import Tensor, nn
from torch.nn import functional

from quant_training.dataset import Dataset, Split
from quant_training.errors import TrainingError
from quant_training.hooks import Hook, Step
from quant_training.settings import one_line
from quant_training.trainer import lay_out

if TYPE_CHECKING:
    from models import Network, Spec


# Samples that a teacher answers at once, always the same ones, so that a resumed run hears the same.
_PART = 256


class DistilConfig(BaseModel):
    """How a teacher is listened to.

    Attributes
    ----------
    temperature : T, softens both distributions.
    alpha : weight of the teacher's answers; the labels have the rest.
    labels : False: no labels are used at all, whatever ``alpha`` is; the weights of the last epoch are kept, since only labels
        tell which are best.
    features : ``hint``: layers of the student, through a learned linear map, come near to those of the teacher; ``attention``:
        their maps of activity do; None: answers only.
    layers : pairs (student's layer, teacher's layer); None: the last convolution of each, or the last hidden layer.
    beta : weight of the features.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    temperature: float = Field(default=4.0, gt=0)
    alpha: float = Field(default=0.7, ge=0, le=1)
    labels: bool = True
    features: Literal["hint", "attention"] | None = None
    layers: tuple[tuple[int, int], ...] | None = None
    beta: float = Field(default=1.0, ge=0)

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise TrainingError(one_line("distillation", error, DistilConfig)) from error

    def check_layers(self, student: int | None, teacher: int | None) -> None:
        """Whether networks of so many layers have all that are named; None: their number is not known yet.

        Raises
        ------
        TrainingError : they have not.
        """
        for pair in self.layers or () if self.features else ():
            for what, layers, index in zip(("student", "teacher"), (student, teacher), pair, strict=True):
                if layers is not None and not 0 <= index < layers:
                    raise TrainingError(f"distillation: the {what} has no layer {index}; it has 0 to {layers - 1}")


def check_alike(student: Spec, teacher: Spec) -> None:
    """Whether both have the same inputs and classes.

    Raises
    ------
    TrainingError : they have not.
    """
    for what in ("inputs", "classes"):
        ours, theirs = getattr(student, what), getattr(teacher, what)
        if ours != theirs:
            raise TrainingError(f"distillation: the teacher has {theirs} {what}, the student {ours}; train a teacher for the "
                                "same data")


class Distil(Hook):
    """A teacher in a training.

    Without augmentation its answers are computed once for each sample, so that later epochs cost what they cost without it.

    Parameters
    ----------
    teacher, student : networks with the same inputs and classes; a float, or a wider quantised teacher.

    Raises
    ------
    TrainingError : the two do not fit, or a layer does not exist.
    """

    needs_raw = True

    def __init__(self, teacher: Network, student: Network, config: DistilConfig) -> None:
        check_alike(student.spec, teacher.spec)
        self.teacher, self.config, self.labels = teacher.eval().requires_grad_(False), config, config.labels
        self.answers: Tensor | None = None
        self.pairs = _pairs(student, teacher, config)
        self.heard: dict[str, Tensor] = {}
        self.handles: list[Any] = []
        self.maps: nn.ModuleList | None = None
        if config.features == "hint":
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(0)  # the same training twice starts from the same maps
                self.maps = nn.ModuleList(_map(student.layers[a].shape, teacher.layers[b].shape) for a, b in self.pairs)

    def key(self) -> str:
        """Settings and the teacher's weights."""
        digest = hashlib.sha256()
        for name, tensor in self.teacher.state_dict().items():
            digest.update(name.encode())
            digest.update(tensor.detach().cpu().numpy().tobytes())
        return f"distil {self.config.model_dump_json()} {digest.hexdigest()}"

    def module(self) -> nn.Module | None:
        """The maps of hints."""
        return self.maps

    def begin(self, model: Network, device: torch.device) -> None:
        """Move the teacher, and listen to the layers of both."""
        self.teacher, self.answers = self.teacher.to(device), None
        lay_out(self.teacher, torch.channels_last)
        self._release()
        for number, (ours, theirs) in enumerate(self.pairs):
            self.handles.append(model.layers[ours].register_forward_hook(self._keep(f"student {number}")))
            self.handles.append(self.teacher.layers[theirs].register_forward_hook(self._keep(f"teacher {number}")))

    def _keep(self, name: str) -> Callable[..., None]:
        def hook(_module: Any, _inputs: Any, output: Any) -> None:
            self.heard[name] = getattr(output, "value", output)
        return hook

    def loss(self, step: Step, loss: Tensor) -> Tensor:
        """Weighted sum of the teacher's and the task's loss."""
        config = self.config
        answers = self._answers(step)
        alpha = config.alpha if config.labels else 1.0
        total = alpha * soft_loss(step.logits, answers, config.temperature)
        if alpha < 1:
            total = total + (1 - alpha) * loss
        for number in range(len(self.pairs)):
            ours, theirs = self.heard[f"student {number}"], self.heard[f"teacher {number}"]
            if self.maps is not None:
                total = total + config.beta * functional.mse_loss(*alike(self.maps[number](ours), theirs))
            else:
                total = total + config.beta * attention_loss(*alike(ours, theirs))
        return total

    def _answers(self, step: Step) -> Tensor:
        """The teacher's logits ``[B, classes]``."""
        assert step.raw is not None  # as needs_raw asks
        with torch.no_grad():
            if step.everything is None or self.pairs:
                return self.teacher(step.raw)  # type: ignore[no-any-return]  # torch's modules return Any
            if self.answers is None:
                self.answers = torch.cat([self.teacher(part) for part in torch.split(step.everything, _PART)])
            return self.answers[step.rows]

    def end(self, model: Network) -> None:
        """Let go of the layers."""
        del model
        lay_out(self.teacher, torch.contiguous_format)
        self._release()

    def _release(self) -> None:
        for handle in self.handles:
            handle.remove()
        self.handles.clear()
        self.heard.clear()


def soft_loss(logits: Tensor, answers: Tensor, temperature: float) -> Tensor:
    """``T^2`` times the divergence of softened distributions; a single logit stands for two classes."""
    if logits.shape[1] == 1:
        logits, answers = (torch.cat([torch.zeros_like(x), x], dim=1) for x in (logits, answers))
    ours, theirs = (functional.log_softmax(x / temperature, dim=1) for x in (logits, answers))
    return functional.kl_div(ours, theirs, reduction="batchmean", log_target=True) * temperature**2


def attention_loss(ours: Tensor, theirs: Tensor) -> Tensor:
    """Squared distance of normalised maps of activity, the sum of squares over channels; ``[N, C, H, W]`` each."""
    maps = [functional.normalize(x.square().mean(dim=1).flatten(1), dim=1) for x in (ours, theirs)]
    return (maps[0] - maps[1]).square().sum(dim=1).mean()


def alike(ours: Tensor, theirs: Tensor) -> tuple[Tensor, Tensor]:
    """Both feature maps with the rows and columns of the smaller one."""
    if ours.dim() < 4 or theirs.dim() < 4 or ours.shape[2:] == theirs.shape[2:]:
        return ours, theirs
    size = min(ours.shape[2], theirs.shape[2]), min(ours.shape[3], theirs.shape[3])
    return functional.adaptive_avg_pool2d(ours, size), functional.adaptive_avg_pool2d(theirs, size)


def unlabelled(data: Dataset, x: NDArray[Any] | None = None) -> Dataset:
    """``data`` with training samples that have no labels, for ``labels: false``.

    Parameters
    ----------
    x : integers ``[N, features]`` on the scale of ``data``, to train on instead of its own samples.

    Raises
    ------
    TrainingError : the samples do not have the features of ``data``.
    """
    integers = data.train.integers if x is None else np.asarray(x).reshape(len(x), -1)
    if integers.shape[1] != data.features:
        raise TrainingError(f"{data.name}: samples without labels have {integers.shape[1]} features, not {data.features}")
    top = int(1 / data.input_scale)
    if not np.issubdtype(integers.dtype, np.integer) or integers.min(initial=0) < 0 or integers.max(initial=0) > top:
        raise TrainingError(f"{data.name}: samples without labels must be integers from 0 to {top}")
    labels = np.zeros(len(integers), dtype=np.int64)
    return replace(data, train=Split(integers.astype(data.train.integers.dtype), labels, data.train.scale))


def _map(ours: Any, theirs: Any) -> nn.Module:
    if ours.kernel is None:
        return nn.Linear(ours.outputs, theirs.outputs)
    return nn.Conv2d(ours.outputs, theirs.outputs, 1)


def _pairs(student: Network, teacher: Network, config: DistilConfig) -> Sequence[tuple[int, int]]:
    if config.features is None:
        return ()
    config.check_layers(len(student.layers), len(teacher.layers))
    pairs = config.layers or ((_last(student), _last(teacher)),)
    for a, b in pairs:
        dense = [network.layers[i].shape.kernel is None for network, i in ((student, a), (teacher, b))]
        if dense[0] != dense[1]:
            raise TrainingError(f"distillation: of layers {a} and {b} one is dense and one a convolution; pair layers of a kind")
        if dense[0] and config.features == "attention":
            raise TrainingError(f"distillation: layers {a} and {b} have no feature maps to attend to; use hint")
    return pairs


def _last(network: Network) -> int:
    convolutions = [index for index, layer in enumerate(network.layers) if layer.shape.kernel is not None]
    return convolutions[-1] if convolutions else max(0, len(network.layers) - 2)
