"""Imports the gateway once and forks running ones on demand: a line names state and inputs, the pid answers.

Batches are small, so that much happens in little time. Forking saves the start of an interpreter for each kill.
"""

from __future__ import annotations

import os
import signal
import sys

import httpx

from commonwatch.cli import main
from commonwatch.events import rungs
from commonwatch.gateway import runtime
from commonwatch.gateway.reading import collect
from commonwatch.ingest.formats import formats


def serve() -> None:
    """Fork a gateway for every line on stdin."""
    collect.BATCH_ROWS, collect.BATCH_SECONDS, runtime.TICK = 500, 0.03, 0.02
    formats()
    rungs.registered_domain("example.org")
    httpx.Client().close()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            state, *inputs = line.split()
            os._exit(main(["gateway", "run", "--state", state, *inputs]))
        print(pid, flush=True)


if __name__ == "__main__":
    serve()
