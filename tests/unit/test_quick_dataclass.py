"""A quick dataclass behaves as the standard library's of the same body and flags."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from collections.abc import Callable
from dataclasses import FrozenInstanceError, asdict, field, fields, replace
from typing import Any, ClassVar

import pytest

from stlaunch import quick_dataclass

Decorator = Callable[..., Callable[[type[Any]], type[Any]]]
BOTH = pytest.mark.parametrize(
    "decorator", [dataclasses.dataclass, quick_dataclass.dataclass], ids=["standard", "quick"]
)


def _point(decorator: Decorator, **flags: bool) -> Any:
    @decorator(slots=True, **flags)
    class Point:
        """A point."""

        kind: ClassVar[str] = "point"
        x: int
        y: int = 2
        names: list[str] = field(default_factory=list, compare=False)
        secret: str = field(default="s", repr=False)

        @property
        def total(self) -> int:
            """Return the sum."""
            return self.x + self.y

    return Point


@quick_dataclass.dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """One that can be found by its name, for pickle."""

    a: int
    b: tuple[str, ...] = ()


@BOTH
def test_values_are_given_by_name_and_by_place(decorator: Decorator) -> None:
    point = _point(decorator, frozen=True)

    made = point(1, y=3)

    assert (made.x, made.y, made.names, made.secret, made.total) == (1, 3, [], "s", 4)
    assert repr(made).endswith("Point(x=1, y=3, names=[])")
    assert point(1).names is not point(1).names
    assert point.kind == "point"
    assert point.__slots__ == ("x", "y", "names", "secret")


@BOTH
@pytest.mark.parametrize(
    ("values", "named"),
    [
        ((), {}),
        ((), {"y": 1}),
        ((1,), {"x": 1}),
        ((1,), {"z": 1}),
        ((1, 2, [], "", 5), {}),
    ],
    ids=["nothing", "one missing", "twice", "unknown", "too many"],
)
def test_wrong_values_are_refused(
    decorator: Decorator, values: tuple[Any, ...], named: dict[str, Any]
) -> None:
    with pytest.raises(TypeError):
        _point(decorator)(*values, **named)


@BOTH
def test_values_without_a_name_can_be_ruled_out(decorator: Decorator) -> None:
    point = _point(decorator, kw_only=True)

    assert point(x=1).x == 1
    with pytest.raises(TypeError):
        point(1)


@BOTH
def test_equal_values_are_equal(decorator: Decorator) -> None:
    point, other = _point(decorator, frozen=True), _point(decorator, frozen=True)

    assert point(1, names=["a"]) == point(1)  # names are not compared
    assert point(1) != point(2)
    assert point(1) != other(1)
    assert point(1) != (1, 2, "s")
    assert {point(1): "found"}[point(1)] == "found"


@BOTH
def test_a_frozen_one_cannot_change(decorator: Decorator) -> None:
    made = _point(decorator, frozen=True)(1)

    with pytest.raises(FrozenInstanceError):
        made.x = 2
    with pytest.raises(FrozenInstanceError):
        del made.x
    assert made.x == 1


@BOTH
def test_a_changeable_one_has_no_hash(decorator: Decorator) -> None:
    made = _point(decorator)(1)
    made.x = 5

    assert made == _point_like(made, 5)
    with pytest.raises(TypeError):
        hash(made)
    with pytest.raises(AttributeError):
        made.unknown = 1


def _point_like(made: Any, x: int) -> Any:
    return type(made)(x)


@BOTH
def test_identity_is_kept_where_it_is_asked_for(decorator: Decorator) -> None:
    point = _point(decorator, eq=False)
    made = point(1)

    assert made != point(1)
    assert len({made, point(1)}) == 2


@BOTH
def test_the_standard_library_knows_the_fields(decorator: Decorator) -> None:
    made = _point(decorator, frozen=True)(1)

    assert [it.name for it in fields(made)] == ["x", "y", "names", "secret"]
    assert replace(made, x=9).x == 9
    assert asdict(made) == {"x": 1, "y": 2, "names": [], "secret": "s"}
    assert copy.deepcopy(made) == made
    match made:
        case object(x=1, y=y):
            assert y == 2
        case _:
            pytest.fail("it does not match")


def test_it_can_be_pickled() -> None:
    kept = Kept(a=1, b=("c",))

    assert pickle.loads(pickle.dumps(kept)) == kept


@BOTH
def test_what_a_class_defines_itself_stays(decorator: Decorator) -> None:
    @decorator(frozen=True, slots=True)
    class Name:  # noqa: PLW1641 - the decorator adds __hash__
        text: str
        length: int = field(init=False)

        def __post_init__(self) -> None:
            object.__setattr__(self, "length", len(self.text))

        def __repr__(self) -> str:
            return f"<{self.text}>"

        def __eq__(self, other: object) -> bool:
            return isinstance(other, str) and other == self.text

    made = Name("ab")

    assert repr(made) == "<ab>"
    assert made == "ab"
    assert made.length == 2
    assert isinstance(hash(made), int)


@BOTH
def test_fields_are_inherited(decorator: Decorator) -> None:
    @decorator(frozen=True, slots=True, kw_only=True)
    class Below:
        a: int = 1
        b: str

    @decorator(frozen=True, slots=True, kw_only=True)
    class Above(Below):
        c: bool = False

    made = Above(b="x")

    assert (made.a, made.b, made.c) == (1, "x", False)
    assert made != Below(b="x")
