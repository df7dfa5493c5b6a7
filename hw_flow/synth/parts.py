"""The parts that a design is synthesised in: every instance without its memories, all memories, and the glue."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from hw_flow.errors import FlowError
from hw_flow.synth.job import SynthJob, SynthResult
from hw_flow.synth.resources import Resources, Target

if TYPE_CHECKING:
    from hw_flow.rtl.design import Design, Instance

# Modules of read-only contents inside an instance: <module>_weights, ...
_MEMORIES = ("weights", "thresholds", "table")


def memories(instance: Instance) -> tuple[str, ...]:
    """Files of the memories in ``instance``, one module each, named like the file."""
    names = {f"{instance.module}_{kind}.sv" for kind in _MEMORIES}
    return tuple(file for file in instance.files if Path(file).name in names)


def memory_modules(instance: Instance) -> tuple[str, ...]:
    """Modules of the memories in ``instance``."""
    return tuple(Path(file).stem for file in memories(instance))


def datapath_jobs(
    design: Design, target: Target, *, nodsp: bool | Collection[str], delay: bool, liberty: Path | None, timeout_s: float,
) -> dict[str, SynthJob]:
    """Each instance with its memories as black boxes, by instance name; no contents are part of the cache key."""
    jobs = {}
    for instance in design.instances:
        inner = memories(instance)
        jobs[instance.name] = SynthJob(
            top=instance.module, files=paths(design, (file for file in instance.files if file not in inner)),
            hidden=paths(design, inner), blackboxes=memory_modules(instance), target=target, delay=delay, liberty=liberty,
            nodsp=nodsp if isinstance(nodsp, bool) else instance.layer in nodsp, timeout_s=timeout_s,
        )
    return jobs


def memories_job(design: Design, target: Target, folder: Path, *, liberty: Path | None, timeout_s: float) -> SynthJob | None:
    """All memories of ``design`` side by side, each kept as a module; None if there are none.

    One job, because a process takes longer to start than to map a small memory. Its top is written into ``folder``.
    """
    inner = tuple(dict.fromkeys(file for instance in design.instances for file in memories(instance)))
    if not inner:
        return None
    name = f"{design.top}_memories"
    # Nothing is optimised across the border of a kept module, so its pins may hang in the air.
    cells = (f"  (* keep *) {Path(file).stem} u_{index} ();\n" for index, file in enumerate(inner))
    (folder / f"{name}.sv").write_text(f"module {name};\n{''.join(cells)}endmodule\n", encoding="utf-8")
    return SynthJob(
        top=name, files=(*paths(design, inner), folder / f"{name}.sv"), target=target, flatten=False, liberty=liberty,
        timeout_s=timeout_s,
    )


def glue_job(design: Design, target: Target, *, nodsp: bool, liberty: Path | None, timeout_s: float) -> SynthJob:
    """The top with its instances as black boxes; new weights leave its cache entry valid."""
    inner = {file for instance in design.instances for file in memories(instance)}
    return SynthJob(
        top=design.top, files=paths(design, (file for file in design.files if file not in inner)),
        hidden=paths(design, (file for file in design.files if file in inner)),
        blackboxes=tuple(sorted({instance.module for instance in design.instances})), target=target, nodsp=nodsp,
        liberty=liberty, timeout_s=timeout_s,
    )


def check_boxes(design: Design, glue: SynthResult, datapaths: Mapping[str, SynthResult], inside: Mapping[str, Resources]) -> None:
    """Every module that is a black box in one part must be counted in another, as often as it is instantiated.

    Parameters
    ----------
    datapaths : by instance name.
    inside : resources of each memory, by module.

    Raises
    ------
    FlowError : something would be left out or counted twice.
    """
    modules = Counter(instance.module for instance in design.instances)
    if glue.boxes != modules:
        raise FlowError(
            f"{design.top}: the top holds {_counted(glue.boxes)}, but design.json lists {_counted(modules)}; "
            "build the design again"
        )
    for instance in design.instances:
        own, boxes = Counter(memory_modules(instance)), datapaths[instance.name].boxes
        if boxes != own:
            raise FlowError(
                f"{instance.module}: holds {_counted(boxes)}, but design.json lists {_counted(own)}; build the design again"
            )
        absent = [name for name in own if name not in inside]
        if absent:
            raise FlowError(f"{instance.module}: no module {', '.join(absent)} in the file of that name; build the design again")


def paths(design: Design, files: Iterable[str]) -> tuple[Path, ...]:
    """Paths of a design's files."""
    return tuple(design.directory / name for name in files)


def _counted(modules: Mapping[str, int]) -> str:
    return ", ".join(f"{number} x {name}" for name, number in sorted(modules.items())) or "no instance"
