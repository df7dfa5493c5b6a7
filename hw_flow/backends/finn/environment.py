"""Is FINN there, and the one that was tested?"""

from __future__ import annotations

import importlib.metadata
from importlib.util import find_spec

from hw_flow.errors import FlowError

PACKAGE, TESTED = "finn-plus", "1.6.1"
COMMAND = f"pip install 'bitwright[finn]' && pip install --no-deps {PACKAGE}=={TESTED}"
# Modules that FINN imports; finn-plus itself goes in without its dependencies, so each may be missing.
_NEEDS = {"mip": "mip", "mashumaro": "mashumaro", "onnx_passes": "onnx-passes", "pandas": "pandas", "psutil": "psutil",
          "pydantic": "pydantic", "termcolor": "termcolor", "bitstring": "bitstring"}


def check_environment() -> str:
    """The installed version of FINN+, without importing it.

    Raises
    ------
    FlowError : FINN+ or a package that it needs is missing, or another version is installed than the tested one.
    """
    try:
        version = importlib.metadata.version(PACKAGE)
    except importlib.metadata.PackageNotFoundError:
        raise FlowError(f"the finn back end needs the package {PACKAGE}, which is not installed; run: {COMMAND}") from None
    if version != TESTED:
        raise FlowError(f"the finn back end is tested with {PACKAGE} {TESTED}, not {version}; run: {COMMAND}")
    for module, package in _NEEDS.items():
        if find_spec(module) is None:
            raise FlowError(f"{PACKAGE} {version} needs the package {package}, which is not installed; run: {COMMAND}")
    return version
