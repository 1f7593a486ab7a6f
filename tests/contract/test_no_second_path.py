"""Invariant 11: nobody, administrators and operators included, has a path to events that does not go through govern."""

from __future__ import annotations

import ast
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from scenario.live import Live, simulated_member

#: Who may name the store: govern asks it, intake writes to it, the composition root opens it.
MAY = {"govern", "hub/intake.py", "hub/compose.py"}
#: Keeping has the store erase rows and settle its files, and asks it nothing.
KEEPING = {"hub/keeping/backups.py": {"checkpoint"}, "hub/keeping/retention.py": {"erase"}}


def names_the_store(path: Path) -> bool:
    """Whether a module imports the store or the engine."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        found = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        found += [a.name for a in node.names] if isinstance(node, ast.Import) else []
        if any(name == "duckdb" or name.startswith("commonwatch.store") for name in found):
            return True
    return False


def test_only_govern_intake_and_the_composition_root_name_the_store(root: Path) -> None:
    source = root / "src" / "commonwatch"
    found = {p.relative_to(source).as_posix() for p in source.rglob("*.py") if names_the_store(p)}
    others = {name for name in found if name.split("/")[0] not in {"store", "govern"} and name not in MAY}
    assert not others


@pytest.mark.parametrize(("module", "allowed"), KEEPING.items(), ids=list(KEEPING))
def test_keeping_asks_the_store_nothing(root: Path, module: str, allowed: set[str]) -> None:
    tree = ast.parse((root / "src" / "commonwatch" / module).read_text("utf-8"))
    used = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) in {"store", "self._store"}
    }
    assert used == allowed


@pytest.mark.timeout(240)
def test_the_hubs_own_administrator_sees_no_event_without_an_agreement(tmp_path: Path) -> None:
    log = tmp_path / "eve.json"
    log.write_bytes(b"".join(simulated_member(days=0.5)))
    live = Live(tmp_path, administrator="keeper-hub")
    try:
        live.serve()
        live.enrol()
        assert live.tail(log, once=True).wait(120) == 0
        assert live.total("olga") > 100
        assert live.total("root") == 0
        with closing(live.browser("root")) as http:
            assert rows(http) == []
    finally:
        live.close()


def rows(http: httpx.Client) -> list[object]:
    """The rows an open question answers."""
    answer = http.post("/api/query", json={"kind": "rows", "limit": 50})
    assert answer.is_success, answer.text
    return list(answer.json()["rows"])
