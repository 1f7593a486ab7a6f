"""Syslog listeners: UDP datagrams, TCP and TLS connections framed by newlines or counts (RFC 5426, 6587, 5425).

Rules held here: a connection that sends too fast is not read until there is room; a datagram that finds no room is lost
and counted; a connection whose framing breaks is closed; one bad peer disturbs no other.
"""

from __future__ import annotations

import asyncio
import ssl
from contextlib import suppress

from commonwatch.gateway.listening.intake import Intake
from commonwatch.ingest.framing.octets import SyslogStream

PORTION = 64 * 1024
#: Seconds without a byte after which a connection is closed.
IDLE = 3_600.0


class Datagrams(asyncio.DatagramProtocol):
    """One UDP socket."""

    def __init__(self, name: str, intake: Intake) -> None:
        self._name, self._intake = name, intake

    def datagram_received(self, data: bytes, addr: object) -> None:  # noqa: ARG002 - the sender proves nothing
        """One message a datagram."""
        if not data.strip():
            return
        if self._intake.full:
            self._intake.lose(self._name, 1, "no room")
        else:
            self._intake.put(self._name, [data.rstrip(b"\r\n\x00")]).add_done_callback(self._lost)

    def _lost(self, taken: asyncio.Future[bool]) -> None:
        if not taken.cancelled() and not taken.result():
            self._intake.lose(self._name, 1, "it could not be written")


async def listen_udp(name: str, host: str, port: int, intake: Intake) -> asyncio.DatagramTransport:
    """Listen for datagrams."""
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: Datagrams(name, intake), local_addr=(host, port))
    return transport


async def listen_tcp(
    name: str, host: str, port: int, intake: Intake, *, tls: ssl.SSLContext | None = None
) -> asyncio.Server:
    """Listen for connections."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError, TimeoutError):
            await _connection(name, reader, intake)
        writer.close()

    return await asyncio.start_server(serve, host, port, ssl=tls)


async def _connection(name: str, reader: asyncio.StreamReader, intake: Intake) -> None:
    stream = SyslogStream()
    try:
        while data := await asyncio.wait_for(reader.read(PORTION), IDLE):
            await intake.room()
            if messages := stream.feed(data):
                await intake.take_surely(name, messages)
            if stream.broken:
                break
    finally:
        if messages := stream.finish():
            intake.put(name, messages)
        if stream.lost or stream.broken:
            intake.lose(name, stream.lost + stream.broken, "over-long, cut short, or framed wrongly")
