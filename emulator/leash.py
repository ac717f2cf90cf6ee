"""Runs a command that dies with its parent: `python leash.py PARENT_PID COMMAND [ARG...]`.

It sets the parent-death signal and then becomes the command. A launcher instead of a `preexec_fn`:
that would run Python between fork and exec in a process whose gRPC threads do not survive a fork.
Stands alone (started with -I -S), so it must import nothing of the project.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main(argv: list[str]) -> None:
    """Tie this process to its parent (Linux only) and replace it by the command."""
    parent, command = int(argv[1]), argv[2:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before the signal was set
            sys.exit(1)
    os.execvp(command[0], command)  # noqa: S606 - becoming the command is the purpose


if __name__ == "__main__":
    main(sys.argv)
