"""The generated C++ between the harness and one model: access to its ports, nothing else."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from sim.errors import SimError
from sim.streams import StreamPort

_PORT = re.compile(r"^\s*VL_(IN|OUT|INOUT)(8|16|64|W|)\(&(\w+),(\d+),(\d+)(?:,\d+)?\);", re.MULTILINE)
_NAMES = ("{name}_t{signal}", "{name}_{signal}", "{name}_{signal}_i", "{name}_{signal}_o")


@dataclass(frozen=True)
class Pin:
    """A port of the Verilated top."""

    name: str
    is_input: bool
    bits: int


def parse_ports(header: str) -> dict[str, Pin]:
    """The ports in the model's generated header, by name."""
    found = _PORT.findall(header)
    return {name: Pin(name, way == "IN", int(msb) - int(lsb) + 1) for way, _, name, msb, lsb in found}


def free_pins(pins: dict[str, Pin], ports: Sequence[StreamPort], clock: str, reset: str) -> tuple[Pin, ...]:
    """The inputs that belong to no stream: the caller sets them to constants."""
    used = {clock, reset}
    for port in ports:
        used |= {pin.name for signal in ("data", "valid", "ready", "last") if (pin := _find(pins, port, signal))}
    return tuple(pin for pin in pins.values() if pin.is_input and pin.name not in used and pin.bits <= 64)


def generate(pins: dict[str, Pin], ports: Sequence[StreamPort], clock: str, reset: str) -> str:
    """The glue of one design.

    Raises
    ------
    SimError
        A port is missing, has the wrong direction or the wrong width.
    """
    if clock not in pins:
        raise SimError(f"clock {clock}: no such port (the design has {_listed(pins)}); name it with clock=")
    inputs = [port for port in ports if port.direction == "in"]
    outputs = [port for port in ports if port.direction == "out"]
    if not inputs or not outputs:
        raise SimError("ports: a design needs at least one input stream and one output stream")
    types = [_source(pins, port, f"In{index}") for index, port in enumerate(inputs)]
    types += [_sink(pins, port, f"Out{index}") for index, port in enumerate(outputs)]
    settings = "".join(
        f"        model.{pin.name} = pins[{index}];\n" for index, pin in enumerate(free_pins(pins, ports, clock, reset))
    )
    hold = f"model.{reset} = {'!active' if reset.endswith(('n', 'ni', 'n_i')) else 'active'};" if reset in pins else ""
    return f"""#include "Vdut.h"
#include "bw_engine.h"

namespace {{

using Dut = Vdut;

{"".join(types)}struct Design {{
    using Model = Dut;
    using Inputs = bw::List<{", ".join(f"In{index}" for index in range(len(inputs)))}>;
    using Outputs = bw::List<{", ".join(f"Out{index}" for index in range(len(outputs)))}>;
    static constexpr int kInputs = {len(inputs)}, kOutputs = {len(outputs)};
    static void clock(Dut& model, bool level) {{ model.{clock} = level; }}
    static void reset([[maybe_unused]] Dut& model, [[maybe_unused]] bool active) {{ {hold} }}
    static void pins([[maybe_unused]] Dut& model, [[maybe_unused]] const int64_t* pins) {{
{settings}    }}
}};

}}  // namespace

extern "C" {{
__attribute__((visibility("default"))) void bw_run(BwRun* run) {{ bw::simulate<Design>(*run); }}
__attribute__((visibility("default"))) void bw_release(char* text) {{ std::free(text); }}
}}
"""


def _source(pins: dict[str, Pin], port: StreamPort, name: str) -> str:
    data, valid, ready = (_need(pins, port, signal) for signal in ("data", "valid", "ready"))
    last = _find(pins, port, "last")
    drive = f"model.{last.name} = value;" if last else ""
    return f"""struct {name} {{
{_shape(port, data)}
    static auto& data(Dut& model) {{ return model.{data.name}; }}
    static void valid(Dut& model, bool value) {{ model.{valid.name} = value; }}
    static bool ready(const Dut& model) {{ return model.{ready.name}; }}
    static void last([[maybe_unused]] Dut& model, [[maybe_unused]] bool value) {{ {drive} }}
}};

"""


def _sink(pins: dict[str, Pin], port: StreamPort, name: str) -> str:
    data, valid, ready = (_need(pins, port, signal) for signal in ("data", "valid", "ready"))
    last = _find(pins, port, "last")
    return f"""struct {name} {{
{_shape(port, data)}
    static auto& data(Dut& model) {{ return model.{data.name}; }}
    static bool valid(const Dut& model) {{ return model.{valid.name}; }}
    static void ready(Dut& model, bool value) {{ model.{ready.name} = value; }}
    static bool last([[maybe_unused]] const Dut& model, [[maybe_unused]] bool expected) {{ return {
        f"model.{last.name}" if last else "expected"
    }; }}
}};

"""


def _shape(port: StreamPort, data: Pin) -> str:
    return f"    static constexpr int kBits = {port.bits}, kPort = {data.bits}, kBytes = {port.beat_bytes};"


def _find(pins: dict[str, Pin], port: StreamPort, signal: str) -> Pin | None:
    names = (pattern.format(name=port.name, signal=signal) for pattern in _NAMES)
    return next((pins[name] for name in names if name in pins), None)


def _need(pins: dict[str, Pin], port: StreamPort, signal: str) -> Pin:
    pin = _find(pins, port, signal)
    if pin is None:
        raise SimError(f"stream {port.name}: the design has no port {port.name}_t{signal} (it has {_listed(pins)})")
    if pin.is_input != ((port.direction == "in") != (signal == "ready")):
        raise SimError(f"stream {port.name}: port {pin.name} points the wrong way for direction {port.direction!r}")
    expected = (port.bits, port.tdata_bits) if signal == "data" else (1,)
    if pin.bits not in expected:
        need = f"{port.lanes} x {port.width} = {port.bits} bits, padded {port.tdata_bits}" if signal == "data" else "1 bit"
        raise SimError(f"stream {port.name}: port {pin.name} has {pin.bits} bits, the stream needs {need}")
    return pin


def _listed(pins: dict[str, Pin]) -> str:
    return ", ".join(sorted(pins))
