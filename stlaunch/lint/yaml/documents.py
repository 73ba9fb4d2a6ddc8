"""Recognise the documents of a YAML file, and lint each of them."""

from __future__ import annotations

import re
from pathlib import Path

from stlaunch.errors import UsageError
from stlaunch.lint.app import App
from stlaunch.lint.findings import Report
from stlaunch.lint.sources import Sources
from stlaunch.lint.yaml.cluster import Cluster, objects
from stlaunch.lint.yaml.file_report import FileReport
from stlaunch.lint.yaml.kubernetes import evaluate_object
from stlaunch.lint.yaml.nodes import Node, documents, get, pairs, text
from stlaunch.lint.yaml.others import (
    evaluate_cloudflare,
    evaluate_cloudformation,
    evaluate_envoy,
    evaluate_h2o,
)
from stlaunch.lint.yaml.traefik import evaluate_compose, evaluate_dynamic

# `stlaunch proxy KIND --snippet` writes parts for several places, each under such a line.
_PART = re.compile(r"^# (in|outside) ", re.MULTILINE)


def lint_yaml(path: Path, app: App, sources: Sources) -> Report:
    """Evaluate each document of a file that leads to the app.

    Raises:
        UsageError: for what is not YAML.
    """
    report = Report(files=[path])
    found = _read(path, sources)
    cluster = Cluster.of([node for nodes in _all(sources, path) for node in nodes], app)
    file_report = FileReport(path, app, report)
    if evaluate_envoy(file_report, found):
        return report
    known = [_evaluate(file_report, node, cluster) for node in found]
    if not any(known):
        report.note(
            path,
            1,
            "This YAML is none of Traefik, Compose, Kubernetes, Envoy, h2o, cloudflared or "
            "CloudFormation.",
        )
    return report


def _evaluate(file_report: FileReport, node: Node, cluster: Cluster) -> bool:
    if get(node, "apiVersion") is not None:
        for one in objects(node):
            evaluate_object(file_report, one, cluster)
        return True
    if any(get(node, key) is not None for key in ("http", "routers", "middlewares")):
        evaluate_dynamic(file_report, get(node, "http") or node)
        return True
    if get(node, "services") is not None:
        evaluate_compose(file_report, get(node, "services"))
        _configs(file_report, node)
        return True
    if get(node, "entryPoints") is not None or get(node, "providers") is not None:
        file_report.note(node, "This is Traefik's static file: routes are in the dynamic ones.")
        file_report.report.passes_nothing_on = True
        return True
    return _evaluate_other(file_report, node)


def _evaluate_other(file_report: FileReport, node: Node) -> bool:
    if evaluate_h2o(file_report, node) or evaluate_cloudflare(file_report, node):
        return True
    if evaluate_cloudformation(file_report, node):
        file_report.report.passes_nothing_on = True
        return True
    if any(
        get(one, "image") is not None or get(one, "labels") is not None for _, one in pairs(node)
    ):
        evaluate_compose(file_report, node)
        return True
    return text(get(node, "appProtocol")) != ""


def _configs(file_report: FileReport, node: Node) -> None:
    """Evaluate the configurations embedded in a Compose file."""
    from stlaunch.lint.read import lint_content  # noqa: PLC0415 - it imports this module

    for _, config in pairs(get(node, "configs")):
        content = get(config, "content")
        if content is None:
            continue
        # Compose writes a $ twice; a block's lines begin below its `|`.
        inner = text(content).replace("$$", "$")
        shift = file_report.line(content) if getattr(content, "style", "") in {"|", ">"} else 0
        file_report.report.extend(lint_content(file_report.path, inner, file_report.app, shift))


def _read(path: Path, sources: Sources) -> list[Node]:
    cached = sources.parsed.get(path)
    if isinstance(cached, list):
        return cached
    content = sources.read(path)
    try:
        found = documents(content, path)
    except UsageError:
        parts = _parts(content)
        if len(parts) < 2:  # noqa: PLR2004 - not in parts
            raise
        found = [node for part in parts for node in documents(part, path)]
    sources.parsed[path] = found
    return found


def _parts(content: str) -> list[str]:
    """Cut a snippet into its parts, each at its own line."""
    starts = [match.start() for match in _PART.finditer(content)]
    if not starts:
        return []
    ends = [*starts[1:], len(content)]
    return [
        "\n" * content.count("\n", 0, start) + content[start:end]
        for start, end in zip(starts, ends, strict=True)
    ]


def _all(sources: Sources, path: Path) -> list[list[Node]]:
    """Return the documents of all YAML files of this run."""
    found = [_read(path, sources)]
    for other in list(sources.texts):
        if other != path and other.suffix.lower() in {".yaml", ".yml"}:
            try:
                found.append(_read(other, sources))
            except UsageError:
                continue  # It is reported where it is checked.
    return found
