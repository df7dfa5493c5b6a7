"""The C interface of a built model: the structures of harness/bw_abi.h and the call."""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import ClassVar

ABI = 2

STATUS = ("done", "deadlock", "spurious", "tlast", "padding", "protocol", "fault", "stopped", "timeout")


class Stream(ctypes.Structure):
    """`BwStream`."""

    _fields_: ClassVar = [
        ("data", ctypes.c_void_p),
        ("beats", ctypes.c_int64),
        ("frame_beats", ctypes.c_int64),
        ("done_cycles", ctypes.c_void_p),
        ("stall_enter", ctypes.c_uint64),
        ("stall_leave", ctypes.c_uint64),
        ("seed", ctypes.c_uint64),
        ("transfers", ctypes.c_int64),
        ("stalls", ctypes.c_int64),
        ("starves", ctypes.c_int64),
        ("first_cycle", ctypes.c_int64),
    ]


class Progress(ctypes.Structure):
    """`BwProgress`."""

    _fields_: ClassVar = [("cycles", ctypes.c_int64), ("frames", ctypes.c_int64), ("stop", ctypes.c_int32)]


class Run(ctypes.Structure):
    """`BwRun`."""

    _fields_: ClassVar = [
        ("abi", ctypes.c_int32),
        ("with_stalls", ctypes.c_int32),
        ("streams", ctypes.POINTER(Stream)),
        ("pins", ctypes.POINTER(ctypes.c_int64)),
        ("progress", ctypes.POINTER(Progress)),
        ("trace_path", ctypes.c_char_p),
        ("trace_from", ctypes.c_int64),
        ("trace_to", ctypes.c_int64),
        ("max_idle", ctypes.c_int64),
        ("max_cycles", ctypes.c_int64),
        ("drain", ctypes.c_int64),
        ("reset_cycles", ctypes.c_int64),
        ("reset_at", ctypes.c_int64),
        ("x_seed", ctypes.c_uint64),
        ("cycles", ctypes.c_int64),
        ("cpu_ns", ctypes.c_int64),
        ("status", ctypes.c_int32),
        ("stream", ctypes.c_int32),
        ("log", ctypes.c_void_p),
        ("monitors", ctypes.c_void_p),
    ]


class Library:
    """A loaded model; every call makes a fresh instance of it, so threads may share one."""

    def __init__(self, path: Path) -> None:
        self._library = ctypes.CDLL(str(path))
        self._library.bw_run.argtypes = [ctypes.POINTER(Run)]
        self._library.bw_run.restype = None
        self._library.bw_release.argtypes = [ctypes.c_void_p]
        self._library.bw_release.restype = None

    def run(self, run: Run) -> tuple[str, str]:
        """Simulate (without Python's global lock) and return the log and the monitors' lines."""
        self._library.bw_run(ctypes.byref(run))
        return self._take(run.log), self._take(run.monitors)

    def _take(self, address: int | None) -> str:
        if not address:
            return ""
        text = ctypes.string_at(address).decode(errors="replace")
        self._library.bw_release(address)
        return text
