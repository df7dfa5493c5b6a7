"""The project that a machine with Vivado builds: what the child process left, completed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hw_flow.backends.finn.environment import PACKAGE, TESTED
from hw_flow.backends.finn.program import FinnProgram
from hw_flow.storage import write_json, write_text

# FINN's least FIFO.
_LEAST = 2
_SCRIPT = f'''#!/bin/sh
# Builds this project with FINN+ on a machine with Vivado and Vitis HLS (XILINX_VIVADO and XILINX_HLS set).
# The folded hardware graph is model.onnx; folding.json and fifo.json may be edited first.
set -eu
cd "$(dirname "$0")"
if ! command -v finn > /dev/null; then
  echo "build.sh: no 'finn' on the PATH; run: pip install {PACKAGE}=={TESTED}" >&2
  exit 2
fi
if [ ! -x "${{XILINX_VIVADO:-}}/bin/vivado" ]; then
  echo "build.sh: XILINX_VIVADO is not the folder of a Vivado; source settings64.sh of Vivado and Vitis HLS first" >&2
  exit 2
fi
exec finn build --batch build.yaml model.onnx
'''


def complete(project: Path, program: FinnProgram, depths: Mapping[str, int], fifos: Sequence[Mapping[str, Any]]) -> None:
    """Write the script, and the FIFO depths that the simulation uses as FINN's ``fifo.json``.

    FINN puts a FIFO on every stream, on both sides of width converters too; the one behind a node takes the depth in beats of
    that node.
    """
    folder = project / "project"
    ours = {placed.finn: placed.node for placed in program.imported.placed}
    nodes = {node.name: node for node in program.graph}
    found: dict[str, int] = {}
    for fifo in fifos:
        producer, reader = (nodes.get(ours.get(str(fifo[side])) or "") for side in ("producer", "reader"))
        if producer is not None:
            tensor = producer.outputs[0]
            deep = [depth for name, depth in depths.items() if name == tensor or name.startswith(f"{tensor}@")]
        else:  # behind a fork: what its reader waits with
            deep = [depth for name, depth in depths.items() if reader is not None and name.endswith(f"@{reader.name}")]
        found[str(fifo["name"])] = max([_LEAST, *deep])
    write_json(folder / "fifo.json", {
        "fifo_depths": found, "impl_style": dict.fromkeys(found, "rtl"), "ram_style": dict.fromkeys(found, "auto")})
    write_text(folder / "build.sh", _SCRIPT)
    (folder / "build.sh").chmod(0o755)
