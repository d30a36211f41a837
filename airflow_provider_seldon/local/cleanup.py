"""Removes a directory after the end of its owner, however it ended. A script, not a module.

Usage: ``python -I -S cleanup.py DIRECTORY``. It waits for the end of standard input: the owner has closed it,
or was killed. Then it removes the directory, twice, because processes that are just ending may still write to
it.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time

_SECONDS_UNTIL_PROCESSES_ARE_GONE = 8.0


def main(directory: str) -> None:
    """Wait and remove."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    while os.read(0, 64):
        pass
    if not os.path.isdir(directory):
        return
    shutil.rmtree(directory, ignore_errors=True)
    time.sleep(_SECONDS_UNTIL_PROCESSES_ARE_GONE)
    shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main(sys.argv[1])
