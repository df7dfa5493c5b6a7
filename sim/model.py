"""A built model: runs whole batches, any number of times."""

from __future__ import annotations

import ctypes
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast
from urllib.parse import unquote

import numpy as np
from numpy.typing import NDArray

from sim import native
from sim.errors import SimError
from sim.profiles import Profile, flags, for_trace
from sim.progress import Waiting
from sim.results import Monitor, SimResult, Stalls, Status, steady_interval
from sim.streams import StreamPort, pack, unpack

_NO_LIMIT = 1 << 62
_POLL_S = 0.1


class Model:
    """A design under Verilator.

    Every run makes a fresh instance that starts from reset, so a model can be used again and from
    several threads; for parallel speed use processes.
    """

    def __init__(
        self,
        library: Path,
        *,
        ports: tuple[StreamPort, ...],
        profile: Profile,
        pins: tuple[str, ...],
        source: str,
        traced: Callable[[Profile], Model],
    ) -> None:
        self.library = library
        self.profile = profile
        self.pins = pins
        self.source = source
        self.inputs = tuple(port for port in ports if port.direction == "in")
        self.outputs = tuple(port for port in ports if port.direction == "out")
        self._traced = traced
        self._native: native.Library | None = None

    def run(
        self,
        inputs: Mapping[str, NDArray[Any]],
        *,
        stalls: Stalls | None = None,
        seed: int = 0,
        x_seeds: Sequence[int] | None = None,
        max_idle_cycles: int = 1_000_000,
        max_cycles: int | None = None,
        drain_cycles: int = 256,
        reset_cycles: int = 4,
        reset_at: int | None = None,
        pins: Mapping[str, int] | None = None,
        trace: Path | None = None,
        trace_window: tuple[int, int] | None = None,
        progress: bool | None = None,
    ) -> SimResult:
        """Send whole frames through the design, one after the other without a gap, and collect the outputs.

        Parameters
        ----------
        inputs : mapping of str to integer array [N, elements]
            Frames for every input stream; N is the same for all.
        stalls : Stalls, optional
            Random stalls on the ports.
        seed : int
            Of the stalls.
        x_seeds : sequence of int, optional
            A pass for each, with other values in all that is not initialised; their outputs must agree. By
            default 1, 2, 3 with the profile check and one pass otherwise. Counters are the first pass's.
        max_idle_cycles : int
            Cycles without a beat on any port that count as a deadlock.
        max_cycles : int, optional
            Limit of the whole run.
        drain_cycles : int
            Cycles watched for a beat too many after the last one.
        reset_cycles : int
            Length of the reset.
        reset_at : int, optional
            Cycle of a second reset, after which everything starts again from the first frame.
        pins : mapping of str to int, optional
            Constants for inputs that belong to no stream; 0 by default.
        trace : Path, optional
            Write the waves here: .vcd, .fst, or toggle counts in .saif. Uses a build of its own.
        trace_window : (int, int), optional
            First cycle, and the cycle after the last one, of the trace.
        progress : bool, optional
            As in `build`.

        Raises
        ------
        SimError
            The inputs do not fit the streams. A fault of the design is a status of the result instead.
        """
        if trace is not None and flags(self.profile).suffix != trace.suffix:
            kind = for_trace(trace.suffix)
            if kind is None:
                raise SimError(f"trace {trace}: the name must end in .vcd, .fst or .saif")
            model = self._traced(kind)
        else:
            model = self
        if trace is not None:
            _check_writable(trace)
        batch = model._batch(inputs)
        chosen = tuple(x_seeds) if x_seeds is not None else flags(self.profile).seeds
        settings = native.Run(
            abi=native.ABI,
            with_stalls=int(stalls is not None),
            max_idle=max_idle_cycles,
            max_cycles=_NO_LIMIT if max_cycles is None else max_cycles,
            drain=drain_cycles,
            reset_cycles=reset_cycles,
            trace_from=trace_window[0] if trace_window else 0,
            trace_to=trace_window[1] if trace_window else _NO_LIMIT,
        )
        first: SimResult | None = None
        for x_seed in chosen or (1,):
            settings.x_seed = x_seed
            settings.reset_at = -1 if reset_at is None else reset_at
            settings.trace_path = str(trace).encode() if trace is not None and first is None else None
            result = model._pass(batch, settings, stalls=stalls, seed=seed, pins=pins or {}, progress=progress)
            if first is None:
                first = result
            elif first.ok:
                first = _agree(first, result, chosen[0], x_seed)
            if not first.ok:
                break
        assert first is not None
        return first

    def _batch(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[np.uint8]]:
        """The packed inputs."""
        names = [port.name for port in self.inputs]
        for name in inputs:
            if name not in names:
                raise SimError(f"run: unknown input stream {name!r} (the design's inputs: {', '.join(names)})")
        for name in names:
            if name not in inputs:
                raise SimError(f"run: no data for the input stream {name!r}")
        packed = {port.name: pack(port, inputs[port.name]) for port in self.inputs}
        counts = {name: len(frames) for name, frames in packed.items()}
        if len(set(counts.values())) != 1:
            raise SimError(f"run: the inputs differ in their number of frames: {counts}")
        if not all(counts.values()):
            raise SimError("run: the inputs hold no frame")
        return packed

    def _pass(
        self,
        batch: dict[str, NDArray[np.uint8]],
        settings: native.Run,
        *,
        stalls: Stalls | None,
        seed: int,
        pins: Mapping[str, int],
        progress: bool | None,
    ) -> SimResult:
        frames = len(next(iter(batch.values())))
        ports = self.inputs + self.outputs
        data = [batch[port.name] if port.direction == "in" else np.zeros(_packed(port, frames), np.uint8) for port in ports]
        done = [np.zeros(frames, np.int64) for _ in ports]
        streams = (native.Stream * len(ports))()
        for index, port in enumerate(ports):
            enter, leave = stalls.chances(port.name) if stalls is not None else (0.0, 1.0)
            streams[index] = native.Stream(
                data=data[index].ctypes.data,
                beats=frames * port.beats,
                frame_beats=port.beats,
                done_cycles=done[index].ctypes.data,
                stall_enter=round(enter * 2**32),
                stall_leave=round(leave * 2**32),
                seed=_mix(seed, index),
            )
        for name in pins:
            if name not in self.pins:
                raise SimError(f"run: unknown pin {name!r} (the design's free inputs: {', '.join(self.pins) or 'none'})")
        values = (ctypes.c_int64 * max(1, len(self.pins)))(*(pins.get(name, 0) for name in self.pins))
        counters = native.Progress()
        settings.streams = streams
        settings.pins = values
        settings.progress = ctypes.pointer(counters)
        started = time.monotonic()
        log, monitors = self._call(settings, counters, frames, progress)
        seconds = time.monotonic() - started
        status = native.STATUS[settings.status]
        finished = _frames_out(list(zip(ports, streams, done, strict=True)))
        begun = min((stream.first_cycle for stream in streams[: len(self.inputs)] if stream.first_cycle >= 0), default=0)
        return SimResult(
            outputs={port.name: unpack(port, data[index]) for index, port in enumerate(ports) if port.direction == "out"},
            status=cast(Status, status),
            reason="" if status == "done" else self._reason(settings, streams, status, log),
            cycles=settings.cycles,
            latency_cycles=int(finished[0]) - begun + 1 if len(finished) else 0,
            interval_cycles=steady_interval(finished),
            done_cycles=finished,
            streams={port.name: Monitor(s.transfers, s.stalls, s.starves) for port, s in zip(ports, streams, strict=True)},
            monitors=_monitors(monitors),
            seconds=seconds,
            cpu_seconds=settings.cpu_ns * 1e-9,
            source=self.source,
            log=log,
        )

    def _call(self, settings: native.Run, counters: native.Progress, frames: int, progress: bool | None) -> tuple[str, str]:
        """Run in a thread of its own, so that this one can show progress and take Ctrl-C."""
        if self._native is None:
            self._native = native.Library(self.library)
        library = self._native
        answer: list[tuple[str, str]] = []
        thread = threading.Thread(target=lambda: answer.append(library.run(settings)), daemon=True)
        with Waiting("simulating", progress, frames, "frames") as waiting:
            thread.start()
            try:
                while thread.is_alive():
                    thread.join(_POLL_S)
                    waiting.update(counters.frames)
            except BaseException:
                counters.stop = 1  # looked at every few thousand cycles
                thread.join()
                raise
        return answer[0]

    def _reason(self, settings: native.Run, streams: Any, status: str, log: str) -> str:
        """One line that says what ended the run."""
        ports = self.inputs + self.outputs
        if status == "fault":
            lines = [line for line in log.splitlines() if line.strip()]
            return lines[-1].strip() if lines else "the design ended the run"
        if status in ("deadlock", "timeout"):
            counts = [_state(port, stream) for port, stream in zip(ports, streams, strict=True)]
            idle = f"no beat moved for {settings.max_idle} cycles"
            what = idle if status == "deadlock" else f"not done after {settings.max_cycles} cycles"
            return f"{what} (cycle {settings.cycles}): {'; '.join(counts)}"
        port, stream = ports[settings.stream], streams[settings.stream]
        frame, beat = divmod(stream.transfers, port.beats)
        where = f"{port.name}: frame {frame}, beat {beat} of {port.beats}"
        return {
            "spurious": f"{port.name}: a beat after the {stream.beats} expected ones",
            "tlast": f"{where}: tlast is {int(beat + 1 != port.beats)}, expected {int(beat + 1 == port.beats)}",
            "padding": f"{where}: the padding bits {port.tdata_bits - 1}..{port.bits} are not zero",
            "protocol": f"{where}: valid was withdrawn or data changed before ready",
        }[status]


def _frames_out(ends: list[tuple[StreamPort, Any, NDArray[np.int64]]]) -> NDArray[np.int64]:
    """For each frame that came out of all outputs, the cycle of its last beat."""
    columns = [cycles[: stream.transfers // port.beats] for port, stream, cycles in ends if port.direction == "out"]
    count = min(len(column) for column in columns)
    latest: NDArray[np.int64] = np.max([column[:count] for column in columns], axis=0)
    return latest


def _check_writable(trace: Path) -> None:
    """The harness would drop the waves without a word."""
    try:
        trace.parent.mkdir(parents=True, exist_ok=True)
        with trace.open("ab"):
            pass
    except OSError as error:
        raise SimError(f"trace {trace}: cannot be written ({error.strerror})") from error


def _packed(port: StreamPort, frames: int) -> tuple[int, int, int]:
    return frames, port.beats, port.beat_bytes


def _mix(seed: int, index: int) -> int:
    """Another start for each stream's random numbers."""
    return (seed * 0x9E3779B97F4A7C15 + (index + 1) * 0xD1B54A32D192ED03) % 2**64


def _state(port: StreamPort, stream: Any) -> str:
    moved = f"{port.name} {stream.transfers} of {stream.beats} beats"
    if stream.transfers == stream.beats:
        return moved
    return f"{moved}, waits for {'ready' if port.direction == 'in' else 'valid'}"


def _monitors(text: str) -> dict[str, Monitor]:
    """Monitors by name; designs percent-encode what their string literals or these lines could not hold."""
    rows = (line.split("\t") for line in text.splitlines())
    return {unquote(name): Monitor(*(int(count) for count in counts)) for name, *counts in rows}


def _agree(first: SimResult, other: SimResult, first_seed: int, other_seed: int) -> SimResult:
    """The first pass, marked if another start of the registers gave something else."""
    if not other.ok:
        return replace(other, reason=f"{other.reason} (with start values {other_seed}, not with {first_seed})")
    for name, values in first.outputs.items():
        differ = np.flatnonzero((values != other.outputs[name]).any(axis=1))
        if len(differ):
            reason = f"{name}: frame {differ[0]} depends on the start values ({first_seed} and {other_seed} differ)"
            return replace(first, status="unstable", reason=reason)
    return first
