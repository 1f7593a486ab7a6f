"""Serve a hub over HTTP until stopped: one process, one worker; streams are told to end before connections are.

Rules held here: the server writes no access log; logs go to stderr without data; the first line on stdout is the URL;
SIGTERM and Ctrl-C end everything in order.
"""

from __future__ import annotations

import asyncio
import logging.config
import os
import resource
import signal
import socket
import sys
from types import FrameType

import uvicorn
from litestar import Litestar

from commonwatch.errors import Conflict
from commonwatch.hub.compose import Hub
from commonwatch.hub.jobs.heap import ASIDE, Heap
from commonwatch.hub.jobs.upkeep import Job, Upkeep
from commonwatch.hub.settings import Settings
from commonwatch.web.logs import CONFIG
from commonwatch.web.rooms import Closing, closing_of

#: Seconds connections get to end by themselves.
GRACE = 3
#: Seconds a computing thread may keep the interpreter while the event loop, which writes to thousands, waits for it.
SWITCH = 0.0005


def run(settings: Settings, host: str, port: int) -> None:
    """Serve the hub in `settings.data` at host and port (0: any free one). Raises Conflict when it is served."""
    logging.config.dictConfig(CONFIG)
    open_many()
    sys.setswitchinterval(SWITCH)
    listening = listen(host, port)
    try:
        hub = Hub(settings)
    except BaseException:
        listening.close()
        raise
    tidying = Upkeep([Job("the heap", ASIDE, Heap().turn)])
    try:
        hub.start()
        tidying.start()
        serve(hub.app(), listening, settings.url)
    finally:
        tidying.stop()
        hub.close()


def open_many() -> None:
    """As many open files as the system allows: every held-open stream is one."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def listen(host: str, port: int) -> socket.socket:
    """A bound socket. Raises Conflict when the address is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        todo = "stop what uses it, or choose another with --port"
        raise Conflict(f"cannot listen on {host} port {port}: {os.strerror(error.errno or 0)}", todo=todo) from error
    return listening


def serve(app: Litestar, listening: socket.socket, public: str) -> None:
    """Answer on a bound socket until a signal comes."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _heard)  # what the server does not take back ends here, not the process
    config = uvicorn.Config(
        app, workers=1, access_log=False, log_config=None, server_header=False, lifespan="on", ws="none",
        timeout_graceful_shutdown=GRACE, timeout_keep_alive=30, proxy_headers=False,
    )  # fmt: skip
    host, port = listening.getsockname()[:2]
    line = f"commonwatch hub at http://{f'[{host}]' if ':' in host else host}:{port} (public address {public})"
    Server(config, closing_of(app), line).run(sockets=[listening])


class Server(uvicorn.Server):
    """Says its line once it answers, and tells held-open streams to end as soon as a signal comes."""

    def __init__(self, config: uvicorn.Config, closing: Closing, line: str) -> None:
        super().__init__(config)
        self._closing, self._line = closing, line
        self._running: asyncio.AbstractEventLoop | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Remember the loop streams live in, start, say so."""
        self._running = asyncio.get_running_loop()
        await super().startup(sockets)
        if self.started:
            say(self._line)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """A signal came."""
        super().handle_exit(sig, frame)
        if self._running is not None:
            self._running.call_soon_threadsafe(self._closing.tell)


def say(line: str) -> None:
    """One line for people and scripts that wait for it."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _heard(_: int, __: FrameType | None) -> None:
    """The server has noted it."""
