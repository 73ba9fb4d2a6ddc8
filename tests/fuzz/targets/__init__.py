"""All fuzz targets, by name."""

from __future__ import annotations

from tests.fuzz.targets import answers, carriers, encodings, files, gateway, selfcheck, urls

TARGETS = {
    target.name: target
    for module in (urls, gateway, carriers, selfcheck, encodings, answers, files)
    for target in module.TARGETS
}
