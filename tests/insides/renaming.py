"""`sitecustomize` of a process whose Streamlit, uvicorn or Python has renamed something.

That is a future version. The name is changed in the source of each module as it is imported, so
that the package itself goes on working; in a module of C, after its own package has taken it. It
must not import anything of stlaunch.
"""

from __future__ import annotations

import importlib
import os
import re
import sys
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import CodeType, SimpleNamespace

SCOPES = tuple(f"{name}." for name in os.environ.get("RENAMED_IN", "").split())
PATTERN = os.environ.get("RENAMED", "")


class _Renaming(SourceFileLoader):
    def get_code(self, fullname: str) -> CodeType | None:
        text = self.get_data(self.path).decode("utf-8")
        renamed = re.sub(PATTERN, lambda match: f"{match[0][:-1]}Q", text)
        return None if renamed is None else compile(renamed, self.path, "exec", dont_inherit=True)


class _Finder(MetaPathFinder):
    def find_spec(self, fullname: str, path: object = None, target: object = None) -> object:
        if not f"{fullname}.".startswith(SCOPES):
            return None
        spec: ModuleSpec | None = PathFinder.find_spec(fullname, path)  # type: ignore[arg-type]
        if spec is None or not isinstance(spec.loader, SourceFileLoader):
            return spec
        loader: Loader = _Renaming(fullname, spec.loader.path)
        if re.search(PATTERN, spec.loader.get_data(spec.loader.path).decode("utf-8")):
            spec.loader = loader
        return spec


def _rename_in_c(scope: str, name: str) -> None:
    module = importlib.import_module(scope)
    user = importlib.import_module(scope.removeprefix("_"))
    setattr(user, scope, SimpleNamespace(**vars(module)))
    setattr(module, f"{name[:-1]}Q", getattr(module, name))
    delattr(module, name)


if PATTERN and SCOPES == ("_socket.",):
    _rename_in_c("_socket", PATTERN)
elif PATTERN:
    sys.meta_path.insert(0, _Finder())
