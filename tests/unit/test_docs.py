"""The reference is what the code says: generated pages are current, and links between pages lead somewhere."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture
def generator(root: Path) -> ModuleType:
    """docs/generate.py as a module."""
    spec = importlib.util.spec_from_file_location("generate", root / "docs" / "generate.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_generated_reference_pages_are_current(root: Path, generator: ModuleType) -> None:
    for name, text in generator.pages().items():
        assert (root / "docs" / "reference" / name).read_text("utf-8") == text, f"{name}: run ./dev docs"


def test_links_between_pages_lead_somewhere(root: Path) -> None:
    pages = [*root.glob("*.md"), *(root / "docs").rglob("*.md")]
    broken = [
        f"{page.relative_to(root)}: {target}"
        for page in pages
        for target in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", page.read_text("utf-8"))
        if not (page.parent / target).exists()
    ]
    assert not broken


def test_no_change_is_told_twice(root: Path) -> None:
    """The changelog is merged by union: what two sides moved may stand twice."""
    lines = [
        line for line in (root / "CHANGELOG.md").read_text("utf-8").splitlines() if line.startswith(("- ", "####"))
    ]
    assert sorted(line for line in set(lines) if lines.count(line) > 1) == []
