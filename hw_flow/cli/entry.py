"""Entry point: quiet third parties, turn faults into one line and an exit code.

Exit codes: 0 done; 1 the job ran and its finding is negative (a mismatch, a missing tool); 2 a fault of the input
or the environment, one line on stderr; 130 interrupted.
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
import warnings
from typing import NoReturn

_USER_FAULTS = {
    ("hw_flow.errors", "FlowError"), ("sim.errors", "SimError"),
    ("models.errors", "ModelError"), ("quant_training.errors", "TrainingError"),
}
_INTERRUPTED = 130
_REPORT = "this is a bug in bitwright; run again with --debug and report the traceback"


def main() -> NoReturn:
    """Run ``bitwright`` on ``sys.argv`` and exit."""
    arguments = sys.argv[1:]
    debug = "--debug" in arguments
    arguments = [argument for argument in arguments if argument != "--debug"]
    if not debug:
        _quiet()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # clean up as after Ctrl-C
    sys.exit(run(arguments, debug=debug))


def run(arguments: list[str], *, debug: bool = False) -> int:
    """Run ``bitwright`` with ``arguments``; returns the exit code."""
    import typer

    from hw_flow.cli.app import app

    try:
        result = app(args=arguments, prog_name="bitwright", standalone_mode=False)
        if result == _INTERRUPTED:  # Typer makes an Exit of Ctrl-C
            _say("interrupted")
        return result if isinstance(result, int) else 0
    except (KeyboardInterrupt, typer.Abort) as error:
        # Typer makes an end of file that nobody caught an Abort too, as if the user had answered a question with Ctrl-D.
        if isinstance(error.__cause__, EOFError):
            if debug:
                traceback.print_exc()
            _say(_message(error.__cause__))
            return 2
        _say("interrupted")
        return _INTERRUPTED
    except typer.TyperException as error:
        _say(f"{error.format_message()}; see bitwright --help")
        return 2
    except BrokenPipeError:
        # The reader of our output (head, less) went away: nothing left to say.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:  # noqa: BLE001 - the one place where any fault becomes a line and an exit code
        if debug:
            traceback.print_exc()
        _say(_message(error))
        return 2


def is_user_fault(error: BaseException) -> bool:
    """Whether ``error`` tells of the input rather than of a bug."""
    return any((kind.__module__, kind.__name__) in _USER_FAULTS for kind in type(error).__mro__)


def _message(error: Exception) -> str:
    text = " ".join(str(error).split())
    if is_user_fault(error):
        return text
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror}; free space or check the path and its permissions"
    if isinstance(error, MemoryError):
        return f"out of memory ({text or 'no more known'}); give fewer frames or a smaller network, or free memory"
    return f"{type(error).__name__}: {text or 'no message'}; {_REPORT}"


def _say(text: str) -> None:
    print(f"bitwright: {text}", file=sys.stderr)


def _quiet() -> None:
    """Keep the warnings of the packages we call off the user's terminal, in child processes too."""
    warnings.filterwarnings("ignore")
    os.environ.setdefault("PYTHONWARNINGS", "ignore")
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
    os.environ.setdefault("ORT_LOGGING_LEVEL", "3")
