"""Writes what the browser's editor must know about agreements from the code that decides: words, levels, examples.

    python ui/dev/vocabulary.py        after a change of the grammar, the fields or their levels

Rules held here: the tables of the controlled English have one home (`agreements/english`), this copies them; every
example is what the real functions make of one value, with keys made up here; `sentences.json` is what the hub says for
documents that together use every phrase, so that the browser's own wording is tested against it. A unit test fails
while either file is not current.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from msgspec import to_builtins as builtins

from commonwatch.agreements.check import RESERVED, check
from commonwatch.agreements.decode import convert, digest, plain
from commonwatch.agreements.english import GRAMMAR, phrases, say
from commonwatch.agreements.lattice import points
from commonwatch.agreements.locked import lock
from commonwatch.agreements.signing import SigningKey, propose, sign_document, unb64
from commonwatch.agreements.statement import Statement, sign_statement
from commonwatch.events.address import parse
from commonwatch.events.fields import FAMILIES, FIELDS, FieldName
from commonwatch.events.labels import CLASS_WORDS, SEVERITY_WORDS, TLP_WORDS
from commonwatch.events.rungs import rung
from commonwatch.privacy import pseudonym

HERE = Path(__file__).resolve().parent.parent / "src" / "lib" / "agree"
#: For each clause field: the column an example stands in, and the value.
VALUES: dict[FieldName, tuple[str, Any]] = {
    "time": ("time", 1_795_363_094_000_000),
    "owner": ("owner", "Maple Dental"),
    "sensor": ("sensor_name", "fw-front-desk"),
    "owner_sector": ("owner_sector", "Q86.23"),
    "owner_region": ("owner_region", "DE-BY"),
    "owner_size": ("owner_size", "small"),
    "severity": ("severity_id", "high"),
    "action": ("action", "blocked"),
    "signature": ("rule_name", "GrayWeasel command channel"),
    "attack": ("attack_techniques", "T1059.001"),
    "malware": ("malware_names", "GrayWeasel.B"),
    "vulnerability": ("cve_uids", "CVE-2024-3094"),
    "src_ip": ("src_ip", "203.0.113.77"),
    "src_port": ("src_port", 52_144),
    "dst_ip": ("dst_ip", "192.168.4.21"),
    "dst_port": ("dst_port", 443),
    "host": ("host", "xray-pc-2"),
    "user": ("user", "anna.berg"),
    "protocol": ("protocol", "tcp"),
    "volume": ("bytes_out", 48_213),
    "domain": ("domain", "cdn.update.example.com"),
    "url": ("url", "https://cdn.example.com/get/x.bin?id=anna"),
    "user_agent": ("user_agent", "Updater/1.4 user=anna"),
    "file_hash": ("file_hash", "9f2c41d0…b7e2"),
    "file_name": ("file_name", "invoice anna.berg@mapledental.example.pdf"),
    "file_path": ("file_path", "C:\\Users\\anna\\Downloads\\invoice.exe"),
    "command": ("command", "net use password=hunter2 \\\\10.0.0.4\\c$"),
    "fingerprint": ("fingerprint", "t13d1516h2_8daaf6152771"),
    "mail_from": ("mail_from", "billing@update.example.com"),
    "mail_to": ("mail_to", "anna.berg@mapledental.example"),
    "mail_subject": ("mail_subject", "Invoice for anna.berg@mapledental.example"),
    "message": ("message", "user=anna opened invoice.exe from 10.0.0.4"),
}
FAMILY_WORDS = {"signature": "malware rule", "attack": "T1059", "malware": "GrayWeasel"}
COUNTRIES = {"src_ip": "US", "dst_ip": "no country"}


def _key(name: str, length: int = 32) -> bytes:
    return hashlib.sha256(f"example {name}".encode()).digest()[:length]


def _instant(micros: int) -> str:
    seconds = micros // 1_000_000
    day, clock = divmod(seconds, 86_400)
    date = dt.date(1970, 1, 1) + dt.timedelta(days=day)
    return f"{date} {clock // 3600:02}:{clock % 3600 // 60:02}:{clock % 60:02}"


def _coarse(field: FieldName, precision: str) -> str:
    """The example of a field at a precision without a token."""
    column, value = VALUES[field]
    family = FIELDS[field].family
    if precision == "exact":
        return _instant(value) if field == "time" else str(value)
    if field == "time":
        return _instant(int(rung("time", precision, "time", value) or 0))
    if family == "term":
        return "CVE-2024" if field == "vulnerability" else FAMILY_WORDS[field]
    if family == "address":
        return _address(field, precision, str(value))
    return str(rung(family, precision, column, value) or "withheld")


def _address(field: FieldName, precision: str, value: str) -> str:
    if precision == "country":
        return COUNTRIES[field]
    if precision == "network":
        return str(rung("address", "network", field, parse(value)))
    return "inside" if field == "dst_ip" else "outside"


def _token(field: FieldName, token: str, precision: str) -> str:
    """The example of a field as a token, with what the precision adds."""
    value, family = str(VALUES[field][1]), FIELDS[field].family
    if family == "mailbox":
        return pseudonym.mailbox_one(value, _key(token), domain=precision == "domain")
    if family == "identity":
        return pseudonym.identity_one(value, _key(token), field)  # type: ignore[arg-type] # owner, sensor, host, user
    if precision in ("withheld", "scope"):
        text = f"{pseudonym.det_text(pseudonym.det_one(parse(value), _key(token, 16)))[:12]}…"
    else:
        text = pseudonym.pfx_text(pseudonym.pfx_one(parse(value), _key(token)))
    return text if precision in ("withheld", "subnet") else f"{text} ({_address(field, precision, value)})"


def example(field: FieldName, point: str) -> str:
    """What a reader would see of the example value."""
    if point == "withheld":
        return ""
    token, plus, precision = point.partition("+")
    if "pseudonym" not in token:
        return _coarse(field, point)
    return _token(field, token, precision if plus else "withheld")


def vocabulary() -> dict[str, Any]:
    """Everything the editor's controls and sentences are made of."""
    return {
        "grammar": GRAMMAR,
        "fields": {f.name: {"family": f.family, "label": f.label} for f in FIELDS.values()},
        "points": {name: list(points(name)) for name in FAMILIES},
        "steps": {name: list(family.precisions[1:]) for name, family in FAMILIES.items()},
        "levels": phrases.levels(),
        "classes": phrases.CLASSES,
        "tlp": list(TLP_WORDS),
        "severities": [word for word in SEVERITY_WORDS if word != "unknown"],
        "purposes": phrases.PURPOSES,
        "roles": phrases.ROLES,
        "measures": phrases.MEASURES,
        "parties": phrases.PARTIES,
        "duties": phrases.DUTIES,
        "telling": phrases.TELLING,
        "reserved": sorted(RESERVED),
        "examples": {f: {p: example(f, p) for p in points(FIELDS[f].family)} for f in FIELDS},
    }


# --- documents that use every phrase ---------------------------------------------------------------------------------


def _some(draw: random.Random, items: Any, least: int = 1) -> list[Any]:
    listed = list(items)
    return draw.sample(listed, draw.randint(least, min(len(listed), least + 3)))


def _rows(draw: random.Random, limit: bool) -> dict[str, Any]:
    rows: dict[str, Any] = {"tlp": draw.choice([t for t in TLP_WORDS if t != "red"])}
    rows["events"] = _some(draw, CLASS_WORDS)
    if draw.random() < 0.5:
        rows["severity"] = draw.choice([s for s in SEVERITY_WORDS if s != "unknown"])
    if draw.random() < 0.3:
        rows["sites"] = _some(draw, ("front-desk", "lab", "branch-2"))
    if draw.random() < 0.5:
        rows["after"] = draw.choice([1, 5, 24, 48])
    if draw.random() < 0.5:
        rows["until"] = draw.choice([72, 100, 2160])
    if not limit:
        return rows
    kept = {key: rows[key] for key in ("events", "sites", "after", "until") if key in rows and draw.random() < 0.6}
    kept |= {f"from_{key}": rows[key] for key in ("tlp", "severity") if key in rows and draw.random() < 0.5}
    return kept


def _to(draw: random.Random) -> dict[str, Any]:
    to: dict[str, Any] = {"organisations": _some(draw, ("harbour-mss", "maple-dental", "oak-law"))}
    if draw.random() < 0.6:
        to["communities"] = _some(draw, ("sme-shield", "valley"))
    if draw.random() < 0.6:
        to["roles"] = _some(draw, phrases.ROLES)
    return to


def _levels(draw: random.Random, steps: bool = False) -> dict[str, str]:
    chosen = draw.sample(list(FIELDS), draw.randint(1, 12))
    pool = {f: FAMILIES[FIELDS[f].family].precisions[1:] if steps else list(points(FIELDS[f].family)) for f in chosen}
    return {f: draw.choice(list(names)) for f, names in pool.items()}


def _clause(draw: random.Random, number: int) -> dict[str, Any]:
    kind = ("share", "count", "limit")[number % 3]
    clause: dict[str, Any] = {"kind": kind, "id": f"c{number}", "rows": _rows(draw, kind == "limit")}
    noise = {"epsilon": draw.choice([1.0, 2.2, 0.125]), **({"total": 7.0} if draw.random() < 0.5 else {})}
    if kind == "limit":
        clause |= {"fields": _levels(draw), "on": draw.choice(["rows", "counts", "both"])}
        clause |= {"outside": _to(draw)} if draw.random() < 0.5 else {}
        clause |= {"purposes": _some(draw, phrases.PURPOSES)} if draw.random() < 0.5 else {}
        capped = clause["on"] != "rows"
        return clause | ({"noise": noise, "contributors": 9} if capped and draw.random() < 0.7 else {})
    clause |= {"to": _to(draw), "purposes": _some(draw, phrases.PURPOSES)}
    if kind == "share":
        clause["fields"] = _levels(draw) | {"user": "pseudonym", "src_ip": "shared-pseudonym+network"}
        lookup = {"fields": ["user", "src_ip"], "per_day": 50}
        return clause | ({"lookup": lookup} if draw.random() < 0.4 else {})
    clause |= {"by": _levels(draw, steps=True), "contributors": draw.randint(2, 20)}
    if draw.random() < 0.5:
        return clause | {"noise": noise, "measures": ["contributors", "onsets"]}
    return clause | {"measures": _some(draw, phrases.MEASURES)}


def _document(draw: random.Random, number: int) -> dict[str, Any]:
    duties = {name: draw.choice(list(table)) for name, table in phrases.DUTIES.items()}
    parties: list[dict[str, Any]] = [
        {"id": "maple-dental", "name": "Maple Dental", "role": "owner", "key": "A" * 43},
        {"id": "harbour-mss", "name": "Harbour Managed Security", "role": "operator", "key": "B" * 43},
    ]
    made = {
        "dsa": "1", "id": f"example-{number}", "version": number + 1, "title": f"Example number {number}",
        "parties": parties, "starts": "2026-12-01", "ends": "2027-11-30",
        "clauses": [_clause(draw, n) for n in range(9)],
        "duties": duties | ({"delete_after_days": 90} if number % 2 else {"breach_notice_hours": 36}),
    }  # fmt: skip
    if telling := (None, "daily", "never")[number % 3]:
        made["duties"]["notify_owner_on_access"] = telling
    if number:
        made |= {"previous": "c" * 64, "community": "sme-shield"}
        made["law"] = {"purpose": "Early warning", "basis": "Art. 6(1)(f) GDPR", "jurisdiction": "Germany"}
        made["origin"] = {"template": "shield", "version": 2, "level": number, "changed": ["c1", "c4", "c7"][:number]}
        parties[1]["contacts"] = [{"name": "Mara Lind", "reach": "mara@harbour.example, +49 30 1234"}]
    return made


def sentences(count: int = 5) -> list[dict[str, Any]]:
    """Documents with the text the hub makes of them."""
    draw = random.Random("sentences")
    found = []
    for number in range(count):
        document = convert(_document(draw, number))
        check(document)
        found.append({"document": plain(document), "text": say(document)})
    return found


def _charters(draw: random.Random, signer: dict[str, str]) -> Iterator[dict[str, Any]]:
    """An owner's charter and a community's."""
    limits = [_clause(draw, number) for number in (2, 5)]
    same = {"version": 1, "title": "A ceiling", "clauses": limits}
    yield {"charter": "1", "id": "ceiling", "owner": signer, **same}
    yield {"community-charter": "1", "id": "roof", "community": "sme-shield", "steward": signer, **same}


def signed() -> dict[str, Any]:
    """A document of each kind and a statement signed with a key made up here: what the browser must sign alike."""
    key = SigningKey.from_seed(_key("signature"))
    document = _document(random.Random("signed"), 0)
    signer = {"id": "maple-dental", "name": "Maple Dental", "key": key.thumbprint}
    document["parties"] = [{**signer, "role": "owner"}]
    kinds = [document, *_charters(random.Random("charters"), signer)]
    envelopes = [sign_document(propose(convert(kind)), key) for kind in kinds]
    statement = Statement(
        kind="revoke", id="example-0", by="maple-dental", at=1_795_363_094_000_000, version=1,
        hash=digest(unb64(envelopes[0].payload)), reason="Wir hören auf",
    )  # fmt: skip
    made = sign_statement(statement, key)
    return {
        "key": key.private_jwk(), "thumbprint": key.thumbprint, "envelopes": builtins(envelopes),
        "statement": plain(statement), "stated": builtins(made),
    }  # fmt: skip


def locked() -> dict[str, Any]:
    """The key of `signed`, locked by the command line: what the browser must open."""
    passphrase = "grüne Ahorn-Straße, 7 Uhr"
    key = SigningKey.from_seed(_key("signature"))
    return {"passphrase": passphrase, "file": builtins(lock(key, passphrase, random=lambda n: _key("lock", n)))}


def files() -> dict[Path, str]:
    """Each file with the text it should have."""
    said = ",\n".join(json.dumps(one, ensure_ascii=False) for one in sentences())
    words = json.dumps(vocabulary(), indent=1, ensure_ascii=False)
    made = {"vocabulary": words, "sentences": f"[\n{said}\n]"}
    made |= {name: json.dumps(one(), ensure_ascii=False) for name, one in (("signed", signed), ("locked", locked))}
    return {HERE / f"{name}.json": f"{text}\n" for name, text in made.items()}


if __name__ == "__main__":
    for path, text in files().items():
        path.write_text(text)
