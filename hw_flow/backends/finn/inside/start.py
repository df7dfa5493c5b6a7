"""Make FINN importable where no Vivado is installed."""

from __future__ import annotations

import logging
import os
import sys
import types
from pathlib import Path

# FINN asks for it while it is imported and to write its metadata; nothing that runs here starts a tool from it.
_NO_VIVADO = "/nonexistent/Vivado/2022.2"
# What FINN's modules import from its interface to Vivado's simulator.
_SIMULATOR = ("SimEngine", "compile_sim_obj", "get_simkernel_so", "load_sim_obj", "reset_rtlsim", "close_rtlsim",
              "rtlsim_multi_io")


def start(folder: Path) -> None:
    """Prepare this process: settings, FINN's scratch ``folder``, and a stand-in for Vivado's simulator."""
    folder.mkdir(parents=True, exist_ok=True)
    os.environ["FINN_BUILD_DIR"] = str(folder)
    os.environ.setdefault("XILINX_VIVADO", _NO_VIVADO)
    os.environ.setdefault("NUM_DEFAULT_WORKERS", "1")
    from finn.util.settings import initialize_dummy_settings

    initialize_dummy_settings()
    stand_in = types.ModuleType("finn.xsi")
    for name in _SIMULATOR:
        setattr(stand_in, name, None)
    stand_in.is_available = lambda: False  # type: ignore[attr-defined]  # a module made at run time
    sys.modules["finn.xsi"] = stand_in
    logging.captureWarnings(True)
