"""Signals while something is recorded."""

from __future__ import annotations

import os
import signal

import pytest

from hw_flow.codesign.stopping import Stopping


def _record(stopping: Stopping, number: signal.Signals, steps: list[str]) -> None:
    with stopping.held(), stopping.held():
        os.kill(os.getpid(), number)
        steps.append("recorded")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_held_body_ends_before_the_signal_counts(number: signal.Signals) -> None:
    before, steps = signal.getsignal(number), []
    stopping = Stopping()
    with stopping.handled():
        with pytest.raises(KeyboardInterrupt):
            _record(stopping, number, steps)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), number)
        with stopping.held():
            steps.append("nothing pending")
    assert steps == ["recorded", "nothing pending"]
    assert signal.getsignal(number) is before
