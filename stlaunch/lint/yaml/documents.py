"""Recognise the documents of a YAML file, and lint each of them."""

from __future__ import annotations

import re
from pathlib import Path

from stlaunch.errors import UsageError
from stlaunch.lint.app import App
from stlaunch.lint.findings import Report
from stlaunch.lint.sources import Sources
from stlaunch.lint.yaml.cluster import Cluster, objects
from stlaunch.lint.yaml.judge import Judge
from stlaunch.lint.yaml.kubernetes import judge_object
from stlaunch.lint.yaml.nodes import Node, documents, get, pairs, text
from stlaunch.lint.yaml.others import (
    judge_cloudflare,
    judge_cloudformation,
    judge_envoy,
    judge_h2o,
)
from stlaunch.lint.yaml.traefik import judge_compose, judge_dynamic

# `stlaunch proxy KIND --snippet` writes parts for several places, each under such a line.
_PART = re.compile(r"^# (in|outside) ", re.MULTILINE)


def lint_yaml(path: Path, app: App, sources: Sources) -> Report:
    """Judge each document of a file that leads to the app.

    Raises:
        UsageError: for what is not YAML.
    """
    report = Report(files=[path])
    found = _read(path, sources)
    cluster = Cluster.of([node for nodes in _all(sources, path) for node in nodes], app)
    judge = Judge(path, app, report)
    if judge_envoy(judge, found):
        return report
    known = [_judge(judge, node, cluster) for node in found]
    if not any(known):
        report.note(
            path,
            1,
            "This YAML is none of Traefik, Compose, Kubernetes, Envoy, h2o, cloudflared or "
            "CloudFormation.",
        )
    return report


def _judge(judge: Judge, node: Node, cluster: Cluster) -> bool:
    if get(node, "apiVersion") is not None:
        for one in objects(node):
            judge_object(judge, one, cluster)
        return True
    if any(get(node, key) is not None for key in ("http", "routers", "middlewares")):
        judge_dynamic(judge, get(node, "http") or node)
        return True
    if get(node, "services") is not None:
        judge_compose(judge, get(node, "services"))
        _configs(judge, node)
        return True
    if get(node, "entryPoints") is not None or get(node, "providers") is not None:
        judge.note(node, "This is Traefik's static file: routes are in the dynamic ones.")
        judge.report.is_settled = True
        return True
    return _judge_other(judge, node)


def _judge_other(judge: Judge, node: Node) -> bool:
    if judge_h2o(judge, node) or judge_cloudflare(judge, node):
        return True
    if judge_cloudformation(judge, node):
        judge.report.is_settled = True
        return True
    if any(
        get(one, "image") is not None or get(one, "labels") is not None for _, one in pairs(node)
    ):
        judge_compose(judge, node)
        return True
    return text(get(node, "appProtocol")) != ""


def _configs(judge: Judge, node: Node) -> None:
    """Judge the configurations that a Compose file holds in itself."""
    from stlaunch.lint.read import lint_content  # noqa: PLC0415 - it imports this module

    for _, config in pairs(get(node, "configs")):
        content = get(config, "content")
        if content is None:
            continue
        # Compose writes a $ twice; a block's lines begin below its `|`.
        inner = text(content).replace("$$", "$")
        shift = judge.line(content) if getattr(content, "style", "") in {"|", ">"} else 0
        judge.report.extend(lint_content(judge.path, inner, judge.app, shift))


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
                continue  # It is reported where it is judged.
    return found
