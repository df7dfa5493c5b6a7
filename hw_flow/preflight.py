"""What a long job looks at before it starts, so that a missing tool costs seconds and not hours."""

from __future__ import annotations


def check_tools(*, synthesis: bool = True) -> dict[str, str]:
    """Find the simulator, its compiler and, with ``synthesis``, Yosys.

    Returns
    -------
    Version by tool, of those that make figures: ``verilator`` and ``yosys``.

    Raises
    ------
    SimError, FlowError : one of them is missing; the line says how to get it.
    """
    from hw_flow.synth import yosys_version
    from sim.toolchain import compiler, verilator

    versions = {"verilator": verilator().version}
    compiler()
    if synthesis:
        versions["yosys"] = yosys_version()
    return versions
