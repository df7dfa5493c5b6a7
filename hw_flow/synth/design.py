"""Resources of a whole design: every instance on its own, the glue between them, and on request the flat top."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hw_flow.errors import FlowError
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
    layers : result per instance, FIFOs and width converters among them, by instance name.
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
    """Synthesise every module of ``design`` once, through the cache, and add them up.

    Parameters
    ----------
    nodsp : no DSP anywhere, or the layers that must not use one.
    flatten : also synthesise the whole top in one run; it has no DSP only if ``nodsp`` is True.
    delay : also the longest logic path of each module (xc7, xcup).
    timeout_s : per module.
    workers : Yosys processes at a time.
    progress : show a bar with the time left on stderr.

    Raises
    ------
    FlowError : a module cannot be synthesised; results so far stay in the cache.
    """
    start = time.monotonic()
    jobs = layer_jobs(design, target, nodsp=nodsp, delay=delay, liberty=liberty, timeout_s=timeout_s)
    whole = SynthJob(
        top=design.top, files=_paths(design, design.files), target=target, nodsp=nodsp is True, delay=delay,
        liberty=liberty, timeout_s=timeout_s,
    )
    modules = Counter(instance.module for instance in design.instances)
    inner = _inner_files(design)
    glue = SynthJob(
        top=design.top, files=_paths(design, (name for name in design.files if name not in inner)),
        hidden=_paths(design, inner), blackboxes=tuple(sorted(modules)), target=target, nodsp=nodsp is True,
        liberty=liberty, timeout_s=timeout_s,
    )
    results = run_all([*jobs.values(), glue, *([whole] if flatten else [])], workers=workers, progress=progress)
    boxes = results[glue].boxes
    if boxes != modules:
        raise FlowError(
            f"{design.top}: the top holds {_counted(boxes)}, but design.json lists {_counted(modules)}; build the design again"
        )
    return DesignResources(
        target=target, source=results[glue].source, layers={name: results[job] for name, job in jobs.items()},
        layer_of={instance.name: instance.layer for instance in design.instances},
        kinds={instance.name: instance.kind for instance in design.instances},
        glue=results[glue], flat=results[whole] if flatten else None, seconds=round(time.monotonic() - start, 2),
    )


def layer_luts(
    design: Design, target: Target = "xc7", *, nodsp: bool | Collection[str] = False, workers: int = 2, progress: bool = False,
) -> dict[str, int]:
    """LUTs per graph node, FIFOs and converters under their own names, without the glue.

    What a search asks for: it shares its cache entries with `synthesise` and takes milliseconds when they are there.
    """
    jobs = layer_jobs(design, target, nodsp=nodsp)
    results = run_all(jobs.values(), workers=workers, progress=progress)
    layer_of = {instance.name: instance.layer for instance in design.instances}
    grouped = _grouped(target, {name: results[job] for name, job in jobs.items()}, layer_of)
    return {layer: resources.luts for layer, resources in grouped.items()}


def layer_jobs(
    design: Design, target: Target, *, nodsp: bool | Collection[str] = False, delay: bool = False,
    liberty: Path | None = None, timeout_s: float = 1800.0,
) -> dict[str, SynthJob]:
    """The job of each instance, by instance name."""
    return {
        instance.name: SynthJob(
            top=instance.module, files=_paths(design, instance.files), target=target, delay=delay, liberty=liberty,
            nodsp=nodsp if isinstance(nodsp, bool) else instance.layer in nodsp, timeout_s=timeout_s,
        )
        for instance in design.instances
    }


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
        results.update({job: made[key] for job, key in keys.items() if key in made})
    return results


def _run_missing(missing: Mapping[str, SynthJob], workers: int, progress: bool) -> dict[str, SynthResult]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    cancel = threading.Event()
    made: dict[str, SynthResult] = {}
    # The longest first, so that none of them starts last; source bytes stand for run time.
    ordered = sorted(missing.items(), key=lambda item: -sum(path.stat().st_size for path in item[1].files))
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
        TextColumn("left"), TimeRemainingColumn(),
    )
    with (
        Progress(*columns, console=Console(stderr=True), transient=True, disable=not progress) as bar,
        ThreadPoolExecutor(max_workers=max(1, workers), thread_name_prefix="synth") as pool,
    ):
        task = bar.add_task("synthesis", total=len(ordered))
        futures = {pool.submit(run, job, cancel=cancel): key for key, job in ordered}
        try:
            for future in as_completed(futures):
                made[futures[future]] = future.result()
                bar.update(task, advance=1, description=f"synthesis ({missing[futures[future]].top})")
        except BaseException:
            # Also on Ctrl-C, which the tools in their own process groups do not see.
            cancel.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return made


def _inner_files(design: Design) -> list[str]:
    """Memories inside instances (``<module>_weights.sv``): the glue does not depend on them, so new weights leave it valid."""
    own = {instance.files[-1] for instance in design.instances}
    inner = {
        name for instance in design.instances for name in instance.files if Path(name).stem.startswith(f"{instance.module}_")
    }
    return [name for name in design.files if name in inner - own]


def _counted(modules: Mapping[str, int]) -> str:
    return ", ".join(f"{number} x {name}" for name, number in sorted(modules.items())) or "no instance"


def _paths(design: Design, files: Iterable[str]) -> tuple[Path, ...]:
    return tuple(design.directory / name for name in files)


def _grouped(target: Target, results: Mapping[str, SynthResult], group_of: Mapping[str, str]) -> dict[str, Resources]:
    groups: dict[str, list[Resources]] = {}
    for name, result in results.items():
        groups.setdefault(group_of[name], []).append(result)
    return {group: total(target, parts) for group, parts in groups.items()}
