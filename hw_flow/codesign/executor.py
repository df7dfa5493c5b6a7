"""Where evaluations run: one interface, in this process or on dask workers (local now, clusters by the same class)."""

from __future__ import annotations

import traceback
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Protocol

from hw_flow.errors import FlowError
from sim.errors import SimError

Json = dict[str, Any]
Task = Callable[[Json], Json]


@dataclass(frozen=True)
class Outcome:
    """How one submitted task ended.

    Attributes
    ----------
    status : ``done``; ``failed`` (the task raised); ``died`` (its worker process went away).
    result : the task's result if done.
    error : one line otherwise.
    fatal : the task raised an error that must end the search (see `FatalError`), or its machine is at fault.
    detail : the traceback of a failed task.
    """

    key: str
    status: Literal["done", "failed", "died"]
    result: Json | None = None
    error: str = ""
    fatal: bool = False
    detail: str = ""


class FatalError(FlowError):
    """An evaluation found something that makes every further trial pointless, a mismatch for example."""


# Faults of the machine and not of the point: a tool that is missing or broken, a full disk.
_ENVIRONMENT = (SimError, OSError, ImportError)


class Executor(Protocol):
    """Runs pure functions of JSON on up to ``workers`` processes."""

    workers: int

    def submit(self, key: str, function: Task, argument: Json) -> None:
        """Queue ``function(argument)`` under a name of the caller's."""

    def as_completed(self) -> Iterator[Outcome]:
        """Outcomes as they arrive, until nothing is queued; tasks may be submitted meanwhile."""

    def close(self) -> None:
        """Stop at once; running tasks are lost."""


def attempt(function: Task, argument: Json) -> Json:
    """Run a task where errors become data: worker and driver need not share exception classes."""
    try:
        return {"result": function(argument)}
    except Exception as error:  # noqa: BLE001 - any fault of a trial is recorded, and the search goes on
        line = " ".join(str(error).split()) or type(error).__name__
        known = isinstance(error, (FlowError, SimError))
        return {
            "error": line if known else f"{type(error).__name__}: {line}",
            "fatal": isinstance(error, (FatalError, *_ENVIRONMENT)),
            "detail": traceback.format_exc(),
        }


def _outcome(key: str, answer: Json) -> Outcome:
    if "result" in answer:
        return Outcome(key, "done", answer["result"])
    return Outcome(key, "failed", error=answer["error"], fatal=answer["fatal"], detail=answer["detail"])


class SerialExecutor:
    """Runs tasks one after the other in this process."""

    def __init__(self) -> None:
        self.workers = 1
        self._queue: deque[tuple[str, Task, Json]] = deque()

    def __enter__(self) -> SerialExecutor:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def submit(self, key: str, function: Task, argument: Json) -> None:
        """See `Executor`."""
        self._queue.append((key, function, argument))

    def as_completed(self) -> Iterator[Outcome]:
        """See `Executor`."""
        while self._queue:
            key, function, argument = self._queue.popleft()
            yield _outcome(key, attempt(function, argument))

    def close(self) -> None:
        """See `Executor`."""
        self._queue.clear()


# Runs in each worker process: Ctrl-C reaches the whole process group, but only the driver may act on it.
_PRELOAD = "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n"


class DaskExecutor:
    """dask.distributed: by default one single-threaded process per worker on this machine.

    Parameters
    ----------
    workers : number of processes.
    scratch : folder for dask's own temporary files.
    cluster : any other dask cluster (SLURMCluster of dask-jobqueue, for example), already scaled.
    """

    def __init__(self, workers: int, scratch: Path, cluster: Any = None) -> None:
        import logging

        import dask
        from distributed import Client, LocalCluster

        self.workers = workers
        self._pending: dict[Any, str] = {}
        self._stream: Any = None
        self._config = dask.config.set({
            "distributed.scheduler.allowed-failures": 0,  # a task whose worker died comes back to us at once
            "distributed.worker.preload": [_PRELOAD],
            "distributed.comm.timeouts.connect": "60s",  # a loaded machine starts workers slowly
            "distributed.admin.log-format": "%(message)s",
        })
        for name in ("distributed", "distributed.nanny", "distributed.scheduler", "distributed.worker"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
        # One task a worker at a time, the others wait at the scheduler: a worker that dies takes no other task with it.
        self._resources = {"trial": 1} if cluster is None else None
        if cluster is None:
            cluster = LocalCluster(  # type: ignore[no-untyped-call]  # dask types some calls only
                n_workers=workers, threads_per_worker=1, processes=True, dashboard_address=None, memory_limit=0,
                silence_logs=logging.CRITICAL, local_directory=str(scratch), resources=self._resources,
            )
        self._cluster = cluster
        self._client: Any = Client(cluster)  # type: ignore[no-untyped-call]  # dask types some calls only

    def __enter__(self) -> DaskExecutor:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def submit(self, key: str, function: Task, argument: Json) -> None:
        """See `Executor`."""
        future = self._client.submit(attempt, function, argument, pure=False, retries=0, resources=self._resources)
        self._pending[future] = key
        if self._stream is not None:
            self._stream.add(future)

    def as_completed(self) -> Iterator[Outcome]:
        """See `Executor`."""
        from distributed import as_completed

        self._stream = as_completed(list(self._pending))  # type: ignore[no-untyped-call]  # dask types some calls only
        try:
            for future in self._stream:
                key = self._pending.pop(future)
                if future.status == "finished":
                    yield _outcome(key, future.result())
                else:
                    why = type(future.exception()).__name__ if future.status == "error" else future.status
                    yield Outcome(key, "died", error=f"the worker process died ({why})")
        finally:
            self._stream = None

    def close(self) -> None:
        """See `Executor`."""
        self._pending.clear()
        self._client.close(timeout=5)
        self._cluster.close(timeout=10)


def open_executor(kind: Literal["dask", "serial"], workers: int, scratch: Path) -> SerialExecutor | DaskExecutor:
    """The executor that a problem asks for."""
    return SerialExecutor() if kind == "serial" else DaskExecutor(workers, scratch)
