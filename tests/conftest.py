"""Fixtures for data sets and third-party models that are not part of the repository."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

# A shell that starts the tests in the background has them ignore SIGINT, and what they start would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def _folder(variable: str, what: str) -> Path:
    given = os.environ.get(variable)
    if not given or not Path(given).is_dir():
        pytest.skip(f"{variable} is not set to the folder with {what}")
    return Path(given)


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Folder with the data sets (``mnist/``, ...), from BITWRIGHT_DATA."""
    return _folder("BITWRIGHT_DATA", "the data sets")


@pytest.fixture(scope="session")
def models_dir() -> Path:
    """Folder with the third-party models (``zoo/``, ``finn/``, ...), from BITWRIGHT_MODELS."""
    return _folder("BITWRIGHT_MODELS", "the third-party models")


@pytest.fixture(scope="session")
def finn_ref() -> Path:
    """Folder with FINN+'s published foldings and measurements, from BITWRIGHT_FINN_REF."""
    return _folder("BITWRIGHT_FINN_REF", "FINN+'s published foldings")
