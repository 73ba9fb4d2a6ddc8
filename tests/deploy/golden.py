"""The generated files of one deployment; `python -m tests.deploy.golden` writes them anew.

Owns the folder `golden`. Review what changes there as a diff.
"""

from __future__ import annotations

from pathlib import Path

from stlaunch.deploy import DeployKind, Deployment, GeneratedFile, render
from stlaunch.urls.base_path import BasePath
from stlaunch.urls.origin import PublicUrl

FOLDER = Path(__file__).parent / "golden"
URL = PublicUrl.parse("https://example.com/streamlitApp")


def make_deployment(**changes: object) -> Deployment:
    """Return a deployment in which nothing depends on this machine."""
    facts: dict[str, object] = {
        "name": "hello",
        "script": "app.py",
        "folder": "/opt/hello",
        "program": "/opt/hello/.venv/bin/stlaunch",
        "base_path": BasePath("/streamlitApp"),
        "public_url": URL,
        "replicas": 3,
        "image": "registry.example.com/hello:1.0.0",
        "has_requirements": True,
        "version": "0.1.0",
    }
    return Deployment(**facts | changes)


def files(kind: DeployKind) -> tuple[GeneratedFile, ...]:
    """Return the files of one kind."""
    return render(kind, make_deployment())


def main() -> None:
    """Write the files."""
    for kind in DeployKind:
        for file in files(kind):
            path = FOLDER / kind / file.name.lstrip(".")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(file.text, encoding="utf-8")


if __name__ == "__main__":
    main()
