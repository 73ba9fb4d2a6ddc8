"""A container is told by what its runtime leaves, never by guesses from cgroup text."""

from __future__ import annotations

import pytest

from stlaunch.platforms import is_in_container


@pytest.mark.parametrize(
    ("environ", "files", "expected"),
    [
        pytest.param({}, set(), False, id="plain machine"),
        pytest.param({}, {"/.dockerenv"}, True, id="docker"),
        pytest.param({}, {"/run/.containerenv"}, True, id="podman"),
        pytest.param({"container": "lxc"}, set(), True, id="lxc"),
        pytest.param({"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, set(), True, id="pod"),
        pytest.param({"container": "", "KUBERNETES_SERVICE_HOST": ""}, set(), False, id="empty"),
        pytest.param({"CONTAINER": "x"}, {"/proc/self/cgroup"}, False, id="unrelated marks"),
    ],
)
def test_is_in_container(environ: dict[str, str], files: set[str], expected: bool) -> None:
    assert is_in_container(environ, files.__contains__) is expected
