"""A written hls4ml project in a build directory: what it was made from, and its C simulation."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hw_flow.backends.hls4ml import runner
from hw_flow.backends.hls4ml.check import Checked, check, frames_for
from hw_flow.backends.hls4ml.netlist import Netlist
from hw_flow.backends.hls4ml.profile import record
from hw_flow.backends.hls4ml.runner import LIBRARY, PROJECT, Written
from hw_flow.backends.hls4ml.settings import HlsSettings, abilities
from hw_flow.backends.hls4ml.translate import translate
from hw_flow.errors import FlowError
from hw_flow.storage import read_json, write_json

if TYPE_CHECKING:
    from hw_flow.frontend import Program
    from hw_flow.ir.tensor import FloatArray, IntArray

_WRITTEN = "hls4ml.json"


@dataclass(frozen=True, eq=False)
class Project:
    """A project and all that belongs to it.

    Attributes
    ----------
    directory : the build, or what becomes one; the project is its folder ``hls4ml``.
    logs : where the logs of hls4ml, g++ and the C simulation go.
    """

    directory: Path
    program: Program
    netlist: Netlist
    settings: HlsSettings
    written: Written
    logs: Path

    @property
    def source(self) -> str:
        """Tool and version behind what the C simulation gives."""
        return f"hls4ml-{self.written.version}"

    @property
    def library(self) -> Path:
        """The compiled C simulation."""
        return self.directory / LIBRARY

    def save(self) -> None:
        """Write ``hls4ml.json``."""
        write_json(self.directory / _WRITTEN, {"settings": self.settings.model_dump(mode="json"), **asdict(self.written)})

    @staticmethod
    def load(directory: Path, program: Program) -> Project:
        """The project of a complete build."""
        values: dict[str, Any] = dict(read_json(directory / _WRITTEN))
        settings = HlsSettings.model_validate(values.pop("settings"))
        netlist = translate(program.graph, abilities(settings))
        return Project(directory, program, netlist, settings, Written(**values), directory / "logs")

    def compile(self) -> None:
        """Compile the C simulation with g++."""
        runner.compile_library(self.directory / PROJECT, self.library, self.settings, self.logs / "g++.log")

    def simulate(self, x: IntArray | FloatArray, key: str) -> Checked:
        """Run frames ``x [N, *model input]``, compare every layer with the golden model, keep profile and traces.

        Raises
        ------
        FlowError : there is no C simulation, or it stops.
        """
        if not self.library.is_file():
            raise FlowError(f"{self.directory}: code for {self.settings.tool} needs the vendor's compiler and cannot be "
                            "simulated here; build with 'tool: Vitis' in the settings")
        integers = self.program.quantise_input(x)
        found = runner.run(self.directory / PROJECT, self.library, self.written, frames_for(self.netlist, integers),
                           self.settings, log=self.logs / "csim.log")
        record(self.directory, key, self.source, self.netlist, found)
        return check(self.program.graph, self.netlist, integers, found)
