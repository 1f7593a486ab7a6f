"""The house: layers hold, planted violations are caught, modules say what they are for, nothing grows too large."""

from __future__ import annotations

import ast
import shutil
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

SRC = Path(__file__).resolve().parents[2] / "src" / "commonwatch"
ROOMS = sorted(p.name for p in SRC.iterdir() if p.is_dir() and (p / "__init__.py").exists())
MODULES = sorted(p for p in SRC.rglob("*.py") if "migrations/versions" not in p.as_posix())
MOST_LINES, MOST_FUNCTION_LINES, MOST_MODULES = 800, 60, 16


def functions(tree: ast.Module) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Every function and method of a module."""
    return [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]


def length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function without its docstring."""
    body = node.body[1:] if ast.get_docstring(node) else node.body
    return (node.end_lineno or 0) - body[0].lineno + 1 if body else 0


@pytest.mark.parametrize("path", MODULES, ids=lambda p: p.relative_to(SRC).as_posix())
def test_every_module_says_what_it_is_for_and_stays_small(path: Path) -> None:
    text = path.read_text()
    tree = ast.parse(text)
    assert ast.get_docstring(tree), "a module opens with what it is for"
    assert text.count("\n") <= MOST_LINES
    long = {f.name: length(f) for f in functions(tree) if length(f) > MOST_FUNCTION_LINES}
    assert not long, f"functions too long: {long}"


def test_functions_are_short_on_the_whole() -> None:
    lengths = [length(f) for path in MODULES for f in functions(ast.parse(path.read_text()))]
    assert statistics.median(lengths) <= 10


@pytest.mark.parametrize("room", ROOMS)
def test_no_room_has_too_many_modules(room: str) -> None:
    assert len(list((SRC / room).glob("*.py"))) <= MOST_MODULES


def test_nothing_is_called_manager_helper_utils_or_base() -> None:
    banned = ("Manager", "Helper", "Utils")
    names = [n.name for p in MODULES for n in ast.walk(ast.parse(p.read_text())) if isinstance(n, ast.ClassDef)]
    assert not [n for n in names if n.endswith(banned) or n.startswith("Base")]
    assert not [p for p in MODULES if p.stem in {"utils", "helpers", "common", "misc"}]


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run import-linter in a copy of the project."""
    tool = Path(sys.executable).with_name("lint-imports")
    env = {"PYTHONPATH": str(folder / "src"), "PATH": "/usr/bin:/bin"}
    return subprocess.run([tool, "--no-cache"], cwd=folder, env=env, capture_output=True, text=True, check=False)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of sources and settings in which a violation can be planted."""
    shutil.copytree(SRC, tmp_path / "src" / "commonwatch", ignore=shutil.ignore_patterns("__pycache__", "_ui"))
    shutil.copy(SRC.parents[1] / "pyproject.toml", tmp_path)
    return tmp_path


def test_the_layers_hold(copy: Path) -> None:
    result = lint(copy)
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize(
    ("room", "planted"),
    [
        ("events", "from commonwatch.store import open"),
        ("gateway", "import commonwatch.hub"),
        ("web", "import commonwatch.store"),
        ("share", "import duckdb"),
        ("agreements", "import httpx"),
        ("govern", "import duckdb"),
    ],
)
def test_a_planted_violation_is_caught(copy: Path, room: str, planted: str) -> None:
    (copy / "src" / "commonwatch" / room / "planted.py").write_text(f'"""Planted."""\n{planted}\n')
    assert lint(copy).returncode == 1


def test_the_project_speaks_of_itself_alone() -> None:
    words = ("/" + "work/", "/" + "tmp/cw", "pypi." + "org", "pythonhosted" + ".org", "registry.npmjs" + ".org")
    root = SRC.parents[1]
    git = ["git", "ls-files", "-co", "--exclude-standard"]
    listed = subprocess.run(git, cwd=root, capture_output=True, text=True, check=False)
    for name in listed.stdout.splitlines():
        path = root / name
        if path.suffix in {".png", ".woff2", ".gz"} or not path.is_file():
            continue
        text = path.read_text(errors="replace")
        assert not [w for w in words if w in text], name
