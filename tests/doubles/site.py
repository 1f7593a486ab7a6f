"""An enrolled gateway over a log of its own, run once or beside a test."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from commonwatch.gateway.enrol import enrol
from commonwatch.gateway.runtime import Runtime
from commonwatch.gateway.state import StateFolder
from doubles.hub import TinyHub

CANARY = "canary7f3a"


class Site:
    """An enrolled gateway with a log of records (ten unless said otherwise) that hold a canary in every private place."""

    def __init__(self, folder: Path, hub: TinyHub, records: int = 10) -> None:
        self.hub = hub
        self.folder = StateFolder(folder / "gw")
        self.said: list[str] = []
        enrol(hub.url, hub.code(), self.folder, name="front desk")
        self.log = folder / "eve.json"
        self.write(records)

    def write(self, count: int) -> None:
        """Append records."""
        record = {
            "timestamp": "2026-01-02T03:04:05.123456+0000", "event_type": "alert", "src_ip": "203.0.113.77",
            "src_port": 50_123, "dest_ip": "10.1.2.3", "dest_port": 443, "proto": "TCP", "host": f"{CANARY}-sensor",
            "http": {"hostname": "www.example.org", "url": f"/a?token={CANARY}", "http_user_agent": CANARY},
            "alert": {"gid": 1, "signature_id": 7, "rev": 1, "signature": "ET SCAN", "severity": 2},
        }  # fmt: skip
        with self.log.open("a") as out:
            out.write((json.dumps(record) + "\n") * count)

    def once(self, patience: float = 20.0) -> dict[str, Any]:
        """A single run."""
        runtime = Runtime(self.folder, [self.log], self.said.append, once=True)
        try:
            return asyncio.run(runtime.run(patience))
        finally:
            runtime.journal.close()

    @contextmanager
    def running(self) -> Iterator[Runtime]:
        """A gateway running beside the test."""
        runtime = Runtime(self.folder, [self.log], self.said.append, once=False)
        thread = threading.Thread(target=lambda: asyncio.run(runtime.run()))
        thread.start()
        try:
            yield runtime
        finally:
            runtime.stop()
            thread.join(20)
            runtime.journal.close()

    def sent(self) -> bytes:
        """Everything the hub has opened, as text."""
        return repr([(header, columns) for header, columns in self.hub.opened.values()]).encode()


def until(condition: Callable[[], bool], seconds: float = 15.0) -> None:
    """Wait for something; fails when it does not come."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)
