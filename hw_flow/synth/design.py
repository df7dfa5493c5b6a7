"""Resources of a whole design: every instance on its own, the glue between them, and on request the flat top.

This is the one way of counting: ``bitwright synth``, a run's report and the search all come here.
"""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from hw_flow.synth import parts
from hw_flow.synth.job import SynthJob, SynthResult
from hw_flow.synth.resources import Resources, Target, total
from hw_flow.synth.runner import cache_key, cached, run

if TYPE_CHECKING:
    from hw_flow.rtl.design import Design


@dataclass(frozen=True, kw_only=True)
class DesignResources:
    """What a design costs on one target.

    Attributes
    ----------
    target, source : of every figure in here.
    layers : result per instance with its memories, FIFOs and width converters among them, by instance name. Log and seconds
        are those of the datapath.
    layer_of : instance name -> graph node that it is counted under.
    kinds : instance name -> "mvau", "fifo", ...
    glue : the top with its instances as black boxes.
    flat : the whole top flattened and synthesised in one run, or None if not asked for. Optimisation
        across the borders of instances makes it differ from ``total``.
    seconds : wall clock of this call.
    """

    target: Target
    source: str
    layers: Mapping[str, SynthResult]
    layer_of: Mapping[str, str]
    kinds: Mapping[str, str]
    glue: SynthResult
    flat: SynthResult | None
    seconds: float

    @property
    def total(self) -> Resources:
        """Glue plus all instances."""
        return total(self.target, (self.glue, *self.layers.values()))

    def by_layer(self) -> dict[str, Resources]:
        """Sum of the instances of each graph node; FIFOs and converters under their own names."""
        return _grouped(self.target, self.layers, self.layer_of)

    def by_kind(self) -> dict[str, Resources]:
        """Sum of the instances of each kind."""
        return _grouped(self.target, self.layers, self.kinds)


def synthesise(
    design: Design, target: Target = "xc7", *, nodsp: bool | Collection[str] = False, flatten: bool = False,
    delay: bool = False, liberty: Path | None = None, timeout_s: float = 1800.0, workers: int = 2, progress: bool = False,
) -> DesignResources:
    """Synthesise the parts of ``design`` once, through the cache, and add them up.

    Memories (weights, tables of thresholds) are kept as modules, as a designer would with ``keep_hierarchy`` in Vivado: an
    instance is its datapath with the memories as black boxes, which comes from the cache whatever the weights are, plus its
    memories. Across that border nothing is optimised; with it, abc9 maps datapaths smaller and faster.

    Parameters
    ----------
    nodsp : no DSP anywhere, or the layers that must not use one.
    flatten : also synthesise the whole top in one run, memories flattened too; it has no DSP only if ``nodsp`` is True.
    delay : also the longest logic path of each datapath (xc7, xcup); paths end at its memories.
    timeout_s : per run of Yosys.
    workers : Yosys processes at a time.
    progress : show a bar with the time left on stderr.

    Raises
    ------
    FlowError : a part cannot be synthesised, or the parts do not make up the design; results so far stay in the cache.
    """
    start = time.monotonic()
    datapaths = parts.datapath_jobs(design, target, nodsp=nodsp, delay=delay, liberty=liberty, timeout_s=timeout_s)
    glue = parts.glue_job(design, target, nodsp=nodsp is True, liberty=liberty, timeout_s=timeout_s)
    whole = SynthJob(
        top=design.top, files=parts.paths(design, design.files), target=target, nodsp=nodsp is True, delay=delay,
        liberty=liberty, timeout_s=timeout_s,
    )
    with tempfile.TemporaryDirectory(prefix="bitwright-synth-") as folder:
        bank = parts.memories_job(design, target, Path(folder), liberty=liberty, timeout_s=timeout_s)
        jobs = [*([bank] if bank else []), *datapaths.values(), glue, *([whole] if flatten else [])]
        results = run_all(jobs, workers=workers, progress=progress)
    inside = results[bank].modules if bank else {}
    around = {name: results[job] for name, job in datapaths.items()}
    parts.check_boxes(design, results[glue], around, inside)
    return DesignResources(
        target=target, source=results[glue].source,
        layers={
            instance.name: _joined(around[instance.name], [inside[module] for module in parts.memory_modules(instance)])
            for instance in design.instances
        },
        layer_of={instance.name: instance.layer for instance in design.instances},
        kinds={instance.name: instance.kind for instance in design.instances},
        glue=results[glue], flat=results[whole] if flatten else None, seconds=round(time.monotonic() - start, 2),
    )


def run_all(jobs: Iterable[SynthJob], *, workers: int = 2, progress: bool = False) -> dict[SynthJob, SynthResult]:
    """Run jobs, equal ones once, ``workers`` at a time; the first error stops the others."""
    keys = {job: cache_key(job) for job in jobs}
    results: dict[SynthJob, SynthResult] = {}
    missing: dict[str, SynthJob] = {}
    for job, key in keys.items():
        found = cached(job)
        if found is not None:
            results[job] = found
        else:
            missing.setdefault(key, job)
    if missing:
        made = _run_missing(missing, workers, progress)
        # An equal job under another name takes its result from the cache, where names of modules are its own.
        results.update({job: made[key] if job is missing[key] else run(job) for job, key in keys.items() if key in made})
    return results


def _run_missing(missing: Mapping[str, SynthJob], workers: int, progress: bool) -> dict[str, SynthResult]:
    cancel = threading.Event()
    made: dict[str, SynthResult] = {}
    # The longest first, so that none of them starts last; source bytes stand for run time.
    ordered = sorted(missing.items(), key=lambda item: -sum(path.stat().st_size for path in item[1].files))
    with ExitStack() as stack:
        advance = stack.enter_context(_bar(len(ordered))) if progress else None
        pool = stack.enter_context(ThreadPoolExecutor(max_workers=max(1, workers), thread_name_prefix="synth"))
        futures = {pool.submit(run, job, cancel=cancel): key for key, job in ordered}
        try:
            for future in as_completed(futures):
                made[futures[future]] = future.result()
                if advance:
                    advance(missing[futures[future]].top)
        except BaseException:
            # Also on Ctrl-C, which the tools in their own process groups do not see.
            cancel.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return made


@contextmanager
def _bar(number: int) -> Iterator[Callable[[str], None]]:
    """A progress bar on stderr; call what it yields with the name of each job that ended."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
        TextColumn("left"), TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("synthesis", total=number)
        yield lambda name: bar.update(task, advance=1, description=f"synthesis ({name})")


def _joined(datapath: SynthResult, memories: Sequence[Resources]) -> SynthResult:
    """An instance from its parts."""
    whole = total(datapath.target, (datapath, *memories))
    return replace(
        datapath, cells=whole.cells, area=whole.area, transistors=whole.transistors, sequential=whole.sequential, boxes={},
    )


def _grouped(target: Target, results: Mapping[str, SynthResult], group_of: Mapping[str, str]) -> dict[str, Resources]:
    groups: dict[str, list[Resources]] = {}
    for name, result in results.items():
        groups.setdefault(group_of[name], []).append(result)
    return {group: total(target, parts) for group, parts in groups.items()}
