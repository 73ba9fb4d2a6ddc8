"""Parse headers that list what a client accepts, with weights (RFC 9110, 12.4.2)."""

from __future__ import annotations

_MAX_LENGTH = 1024


def read_quality_values(header: str) -> dict[str, float]:
    """Return each listed value, in lower case, with its weight; 0 means not acceptable.

    >>> read_quality_values("text/html, text/plain;q=0.5")
    {'text/html': 1.0, 'text/plain': 0.5}

    A weight that cannot be read counts as 0: the safe side is to send something else.
    """
    weights = {}
    for item in header[:_MAX_LENGTH].split(","):
        value, *parameters = [part.strip().lower() for part in item.split(";")]
        if value:
            weights[value] = _read_weight(parameters)
    return weights


def _read_weight(parameters: list[str]) -> float:
    for parameter in parameters:
        name, _, text = parameter.partition("=")
        if name.strip() == "q":
            try:
                weight = float(text)
            except ValueError:
                return 0.0
            return weight if 0.0 <= weight <= 1.0 else 0.0
    return 1.0
