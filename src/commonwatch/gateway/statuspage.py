"""The local status page of a gateway, and its metrics for Prometheus (text format 0.0.4).

Rules held here: numbers, reasons and states, never a value of a record, never a key; read-only; meant for the machine
itself or the site's own monitoring, so it listens only where the settings say.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from commonwatch.gateway.listening.http import App, Receive, Scope, Send, reply

Status = Callable[[], dict[str, Any]]
_SECURITY = [
    (b"content-security-policy", b"default-src 'none'; style-src 'unsafe-inline'"),
    (b"x-content-type-options", b"nosniff"), (b"cache-control", b"no-store"), (b"refresh", b"10"),
]  # fmt: skip
_STYLE = (
    ":root{color-scheme:light dark}"
    "body{font:15px/1.5 system-ui,sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem}"
    "h1{font-size:1.2rem}h2{font-size:1rem;margin-top:1.6rem}table{border-collapse:collapse;width:100%}"
    "td,th{text-align:left;padding:.25rem .75rem .25rem 0;border-bottom:1px solid #8884}td.n{text-align:right}"
    ".ok{color:#1a7f37}.bad{color:#cf222e}"
)


def page(status: Status) -> App:
    """The application: `/` for people, `/metrics` for Prometheus, `/status.json`, `/healthz`."""

    async def app(scope: Scope, _receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        if scope["method"] not in {"GET", "HEAD"}:
            await reply(send, 405, b"text/plain", b"read only\n")
            return
        found = status()
        answers: dict[str, tuple[bytes, Callable[[], bytes]]] = {
            "/": (b"text/html; charset=utf-8", lambda: _html(found).encode()),
            "/metrics": (b"text/plain; version=0.0.4; charset=utf-8", lambda: metrics(found).encode()),
            "/status.json": (b"application/json", lambda: msgspec.json.encode(found)),
        }
        if scope["path"] == "/healthz":
            well = found["state"] == "running"
            await reply(send, 200 if well else 503, b"text/plain", f"{found['state']}\n".encode())
        elif scope["path"] in answers:
            kind, body = answers[scope["path"]]
            await reply(send, 200, kind, body(), _SECURITY)
        else:
            await reply(send, 404, b"text/plain", b"/ /metrics /status.json /healthz\n")

    return app


def metrics(found: dict[str, Any]) -> str:
    """Prometheus text. Reasons are labels; there are only as many as the code knows."""
    return "\n".join(_metrics(found)) + "\n"


def _metrics(found: dict[str, Any]) -> Iterator[str]:
    counts = found["counts"]
    for name in ("read", "mapped", "not_agreed", "spooled", "sent", "acknowledged", "refused", "stored", "known"):
        yield from _one(f"events_{name}_total", "counter", [("", counts.get(name, 0))])
    for kind in ("skipped", "quarantined"):
        reasons = counts.get(kind, {}).items()
        yield from _one(f"events_{kind}_total", "counter", [(f'reason="{_label(r)}"', n) for r, n in reasons])
    for name, value in found["spool"].items():
        yield from _one(f"spool_{name}", "gauge", [("", value)])
    received = found.get("received", {})
    for kind in ("received", "lost"):
        rows = [(f'listener="{_label(k.partition(":")[2])}"', n) for k, n in received.items() if k.startswith(kind)]
        yield from _one(f"listener_{kind}_total", "counter", rows)
    yield from _one("indicators_held", "gauge", [("", found["indicators"])])
    yield from _one("indicators_seen_here", "gauge", [("", found["matches"])])
    yield from _one("up", "gauge", [(f'state="{_label(found["state"])}"', int(found["state"] == "running"))])


def _one(name: str, kind: str, rows: list[tuple[str, int]]) -> Iterator[str]:
    if rows:
        yield f"# TYPE commonwatch_gateway_{name} {kind}"
    for labels, value in rows:
        yield f"commonwatch_gateway_{name}{f'{{{labels}}}' if labels else ''} {value}"


def _label(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ")


def _html(found: dict[str, Any]) -> str:
    """The page for people."""
    counts, spool = found["counts"], found["spool"]
    well = found["state"] == "running" and not found["distrusts_hub"]
    rows = [(name, counts.get(name, 0)) for name in ("read", "mapped", "not_agreed", "acknowledged", "stored")]
    rows += [("already at the hub", counts.get("known", 0))]
    rows += [(f"skipped: {r}", n) for r, n in counts.get("skipped", {}).items()]
    rows += [(f"quarantined: {r}", n) for r, n in counts.get("quarantined", {}).items()]
    rows += [("waiting to be sent", spool["events"]), ("indicators held", found["indicators"])]
    rows += [("of these seen here", found["matches"])]
    rows += sorted(found.get("received", {}).items())
    files = [(f["path"], _read(f)) for f in found["files"]]
    title, state = f"Gateway {found['gateway']} of {found['org']}", _e(found["state"])
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{_e(title)}</title><style>{_STYLE}</style>"
        f"<h1>{_e(title)}</h1>"
        f"<p>Hub {_e(found['hub'])}: <strong class={'ok' if well else 'bad'}>{state}</strong></p>"
        f"<h2>Events</h2>{_table(rows)}<h2>Files</h2>{_table(files)}"
    )


def _read(file: dict[str, Any]) -> str:
    return f"{file['format'] or 'not recognised'}, {file['position']:,} of {file['size']:,} bytes"


def _table(rows: list[tuple[str, Any]]) -> str:
    cells = (f"<tr><th>{_e(name)}<td class={'n' if isinstance(v, int) else 't'}>{_e(v)}" for name, v in rows)
    return f"<table>{''.join(cells)}</table>"


def _e(value: Any) -> str:
    return html.escape(f"{value:,}" if isinstance(value, int) else str(value))
