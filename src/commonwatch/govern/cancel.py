"""Stopping the engine's work for somebody who is gone."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from commonwatch.store import Session

LOOK_SECONDS = 0.05


@contextmanager
def cancelled_by(cancel: threading.Event | None, *sessions: Session) -> Iterator[None]:
    """While the block runs, `cancel` stops whatever the sessions run; if it is set already, they run nothing."""
    if cancel is None:
        yield
        return
    done = threading.Event()

    def stop() -> None:
        for session in sessions:
            session.cancel()

    def watch() -> None:
        while not done.is_set():
            if cancel.wait(LOOK_SECONDS) and not done.is_set():
                stop()
                return

    if cancel.is_set():
        stop()

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
