"""Whether hls4ml is there, in this environment or the user's, in the version that all of this is tested with."""

from __future__ import annotations

import importlib.metadata
import sys
from pathlib import Path

from hw_flow.backends.hls4ml.settings import HlsSettings
from hw_flow.errors import FlowError

# hls4ml's passes and file layout change with every minor version.
TESTED = "1.3"


def check_installed(settings: HlsSettings) -> str:
    """Version of hls4ml; FlowError if it is missing, another than the tested one, or its interpreter is."""
    if settings.python is None:
        try:
            version = importlib.metadata.version("hls4ml")
        except importlib.metadata.PackageNotFoundError as error:
            raise FlowError("hls4ml is not installed; pip install 'bitwright[hls4ml]'") from error
    else:
        version = _foreign_version(settings.python)
    if not version.startswith(f"{TESTED}."):
        raise FlowError(f"hls4ml {version} is installed, and {TESTED} is what this is tested with; "
                        "pip install 'bitwright[hls4ml]'")
    return version


def check_arithmetic(settings: HlsSettings) -> None:
    """FlowError if distributed arithmetic is asked for and the da4ml that hls4ml 1.3 can use is not there."""
    from sim.process import run_process

    python = settings.python or Path(sys.executable)
    done = run_process([python, "-c", "import importlib.metadata as m; print(m.version('da4ml'))"], timeout_s=60)
    found = done.output.split()[-1] if done.ok and done.output.split() else "no version"
    if not found.startswith("0.5."):
        raise FlowError(f"distributed arithmetic: hls4ml {TESTED} needs da4ml 0.5, and {found} is installed for {python}; make "
                        "an environment with 'hls4ml[da]' and name its interpreter as 'python' in the settings")


def _foreign_version(python: Path) -> str:
    from sim.process import run_process

    try:
        done = run_process([python, "-c", "import importlib.metadata as m; print(m.version('hls4ml'))"], timeout_s=60)
    except OSError as error:
        raise FlowError(f"python: {python} cannot be run ({error.strerror}); name the interpreter of hls4ml") from error
    if not done.ok or not done.output.split():
        raise FlowError(f"python: {python} has no hls4ml; install it there with pip install hls4ml")
    return done.output.split()[-1]
