"""Runs one command, and ensures that none of its processes outlives the kubelet. A script, not a module.

Usage: ``python -I -S supervisor.py GRACE COMMAND...``. The command gets its own session (and so its own
process group). It is ended, by SIGTERM and after GRACE seconds by SIGKILL, when standard input reaches its
end: the kubelet has closed it, or was killed. If the system has ``prctl`` (Linux), the command also ends with
the supervisor, and its orphans become children of the supervisor, which ends them. The exit code is the
command's, or 128 plus the number of the signal that ended it.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import sys
import time

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36


def main(arguments: list[str]) -> int:
    """Run the command; return its exit code."""
    grace, command = float(arguments[0]), arguments[1:]
    wake_reader, wake_writer = os.pipe()
    os.set_blocking(wake_writer, False)
    signal.set_wakeup_fd(wake_writer)
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: None)
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    child = os.fork()
    if child == 0:
        _become(command)
    status = _watch(child, grace, wake_reader)
    _kill_group(child, signal.SIGKILL)
    _kill_orphans()
    return 128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


def _become(command: list[str]) -> None:
    os.setsid()
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    try:
        os.execvp(command[0], command)
    except OSError as error:
        os.write(2, f"exec {command[0]}: {error.strerror}\n".encode())
        os._exit(127 if isinstance(error, FileNotFoundError) else 126)


def _watch(child: int, grace: float, wake_reader: int) -> int:
    """Wait until the command has ended; return its wait status."""
    sources = [0, wake_reader]
    deadline: float | None = None
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return status
        left = None if deadline is None else max(0.0, deadline - time.monotonic())
        readable, _, _ = select.select(sources, [], [], left)
        stop = False
        if wake_reader in readable:
            numbers = set(os.read(wake_reader, 64))
            stop = bool(numbers & {signal.SIGTERM, signal.SIGINT, signal.SIGHUP})
        if 0 in readable and not os.read(0, 64):
            sources = [wake_reader]
            stop = True
        if stop and deadline is None:
            deadline = time.monotonic() + grace
            _kill_group(child, signal.SIGTERM)
        elif deadline is not None and time.monotonic() >= deadline:
            _kill_group(child, signal.SIGKILL)
            deadline = time.monotonic() + 1.0


def _kill_group(leader: int, number: int) -> None:
    try:
        os.killpg(leader, number)
    except (ProcessLookupError, PermissionError):
        return


def _kill_orphans() -> None:
    """End processes that left the group (with their own session) and are now children of this one."""
    path = f"/proc/self/task/{os.getpid()}/children"
    for _ in range(100):
        try:
            with open(path) as file:
                children = [int(pid) for pid in file.read().split()]
        except OSError:
            return
        if not children:
            return
        for pid in children:
            try:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
            except (ProcessLookupError, ChildProcessError):
                continue


def _prctl(option: int, value: int) -> None:
    try:
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)
    except (OSError, AttributeError):
        return


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
