"""Run a program under watch: ``python -I -S _child.py PARENT MEMORY PROGRAM ARGUMENT...``.

This process leads the group of its program. If the process PARENT ends, however it does, the whole group is killed:
the kernel sends SIGTERM (Linux), and the handler kills. MEMORY bounds the program's address space in bytes, 0 does
not. The exit code or the signal of the program becomes this process's own. The file is run by its path and imports
little, so that it starts in some ten milliseconds.
"""

import os
import resource
import signal
import sys

_PR_SET_PDEATHSIG = 1
_NOT_STARTED = 127
_STACK = 1 << 30


def main(parent: int, memory: int, command: list[str]) -> int:
    """Run ``command``; returns its exit code."""
    signal.signal(signal.SIGTERM, lambda *_: os.killpg(0, signal.SIGKILL))
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # it ended before the call
            return 1
    child = os.fork()
    if child == 0:
        _become(memory, command)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    if code < 0:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if -code != signal.SIGKILL:
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    return code


def _become(memory: int, command: list[str]) -> None:
    """Turn this process into the program."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    # Python ignores these, and what it starts would inherit that.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    # Verilator recurses over long lists of statements, such as large memories: its own launcher lifts this limit, too.
    most = resource.getrlimit(resource.RLIMIT_STACK)[1]
    stack = _STACK if most == resource.RLIM_INFINITY else min(_STACK, most)
    resource.setrlimit(resource.RLIMIT_STACK, (stack, most))
    if memory:
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    try:
        os.execvp(command[0], command)  # noqa: S606 - an argument list, no shell is meant
    except OSError as error:
        os.write(2, f"error: {command[0]}: {error.strerror}\n".encode(errors="surrogateescape"))
        os._exit(_NOT_STARTED)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]))
