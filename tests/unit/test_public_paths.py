"""Where a request points to, and what a page that was really loaded teaches."""

from __future__ import annotations

import asyncio
import threading
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stlaunch.launcher.learned_paths import Debounced
from stlaunch.urls.base_path import BasePath
from stlaunch.urls.public_paths import LearnedPaths, Location, PrefixMode, PrefixRule, PublicPaths

KEPT, STRIPPED = PrefixMode.KEPT, PrefixMode.STRIPPED
ROOT, APP, NESTED = BasePath(), BasePath("/app"), BasePath("/app/inner")
MAX_LEARNED = 32


def _learned(*texts: str) -> LearnedPaths:
    learned = LearnedPaths()
    learned.restore(BasePath(text) for text in texts)
    return learned


GIVEN = PublicPaths(known=(APP,))
HALF = PublicPaths(known=(APP,), mounts=(BasePath("/half"),))
TWO = PublicPaths(known=(APP, BasePath("/b")))
DEEP = PublicPaths(known=(APP, NESTED))
AT_ROOT = PublicPaths(known=(ROOT,))
ODD = PublicPaths(known=(BasePath("/%40x"),))
NOTHING = PublicPaths(is_learning=True)
LEARNED = PublicPaths(is_learning=True, learned=_learned("/app", "/app/inner"))
FIXED = PublicPaths(learned=_learned("/app"))

CASES: list[tuple[str, PublicPaths, str, BasePath | None, Location]] = [
    ("kept", GIVEN, "/app/x", None, Location(APP, "/x", KEPT, 1)),
    ("stripped", GIVEN, "/x", None, Location(APP, "/x", STRIPPED, 0)),
    ("no-slash", GIVEN, "/app", None, Location(APP, "", KEPT, 1)),
    ("longer-name", GIVEN, "/apple", None, Location(APP, "/apple", STRIPPED, 0)),
    ("doubled-in-front", GIVEN, "//app/x", None, Location(APP, "/x", KEPT, 1, True)),
    ("doubled-after", GIVEN, "/app//x", None, Location(APP, "/x", KEPT, 1, True)),
    ("doubled-later-stays", GIVEN, "/app/x//y", None, Location(APP, "/x//y", KEPT, 1)),
    ("mount", HALF, "/half/x", None, Location(APP, "/x", STRIPPED, 1)),
    ("two-stripped", TWO, "/x", None, Location(None, "/x", STRIPPED, 0)),
    ("two-and-header", TWO, "/x", BasePath("/b"), Location(BasePath("/b"), "/x", STRIPPED, 0)),
    ("given-beats-header", GIVEN, "/x", BasePath("/evil"), Location(APP, "/x", STRIPPED, 0)),
    ("header-is-no-path", GIVEN, "/e/x", BasePath("/e"), Location(APP, "/e/x", STRIPPED, 0)),
    ("deepest-wins", DEEP, "/app/inner/x", None, Location(NESTED, "/x", KEPT, 2)),
    ("root", AT_ROOT, "/app/x", None, Location(ROOT, "/app/x", KEPT, 0)),
    ("encoded", ODD, "/@x/y", None, Location(BasePath("/%40x"), "/y", KEPT, 1)),
    ("unknown", NOTHING, "/app/x", None, Location(None, "/app/x", STRIPPED, 0)),
    ("header", NOTHING, "/x", APP, Location(APP, "/x", STRIPPED, 0)),
    ("header-and-kept", NOTHING, "/app/x", APP, Location(APP, "/x", KEPT, 1)),
    ("learned", LEARNED, "/app/x", None, Location(APP, "/x", KEPT, 1)),
    ("learned-deepest", LEARNED, "/app/inner/x", None, Location(NESTED, "/x", KEPT, 2)),
    ("not-learning", FIXED, "/app/x", None, Location(None, "/app/x", STRIPPED, 0)),
]


@pytest.mark.parametrize(
    ("_name", "paths", "arrived", "header", "expected"), CASES, ids=[case[0] for case in CASES]
)
def test_decision_table(
    _name: str, paths: PublicPaths, arrived: str, header: BasePath | None, expected: Location
) -> None:
    """Each kind of path has its place."""
    assert paths.locate(arrived, header) == expected


SEGMENTS = st.text("abcXYZ019-._~@:", min_size=1, max_size=6).filter(lambda s: s not in {".", ".."})
BASES = st.lists(SEGMENTS, max_size=4).map(lambda parts: BasePath("".join(f"/{p}" for p in parts)))
RESTS = st.lists(SEGMENTS, min_size=1, max_size=4).map(lambda parts: "/" + "/".join(parts))


@given(base=BASES, rest=RESTS, slashes=st.integers(0, 3))
def test_kept_and_stripped_meet(base: BasePath, rest: str, slashes: int) -> None:
    """Whatever a proxy did, the same thing is asked for, below the same public path."""
    paths = PublicPaths(known=(base,))
    stripped = paths.locate("/" * slashes + rest)

    kept = paths.locate("/" * slashes + base.decoded + rest)

    assert (kept.public, kept.rest) == (base, rest)
    assert stripped.public == base
    if base.strip_from(rest) is None:
        assert stripped.rest == rest


@given(known=st.lists(BASES, max_size=3), learned=st.lists(BASES, max_size=3), path=st.text())
def test_any_path_has_a_place(known: list[BasePath], learned: list[BasePath], path: str) -> None:
    """No path raises, and `depth` is the number of segments that were taken off."""
    memory = LearnedPaths()
    memory.restore(learned)
    paths = PublicPaths(known=tuple(known), is_learning=True, learned=memory)

    location = paths.locate("/" + unquote(path))

    assert location.rest == "" or location.rest.startswith("/")
    assert not location.rest.startswith("//")
    assert location.depth >= 0


# --- learning


def test_learned_paths_are_bounded() -> None:
    """However many pages are asked for, the set stays small."""
    learned = LearnedPaths()

    for index in range(500):
        learned.confirm(BasePath(f"/{index}"))

    assert len(learned.paths) == MAX_LEARNED


def test_a_very_deep_path_is_not_learned() -> None:
    """Nobody deploys an app nine folders deep; a scanner may ask for it."""
    learned = LearnedPaths()

    learned.confirm(BasePath("/a" * 9))

    assert learned.paths == ()


def test_the_restored_set_is_bounded() -> None:
    """A file from a wild past cannot fill the memory."""
    assert len(_learned(*(f"/{index}" for index in range(500))).paths) == MAX_LEARNED


@pytest.mark.parametrize("junk_times", [1, 3], ids=["once-each", "three-times-each"])
def test_a_scanner_that_fills_the_set_cannot_keep_a_path_out(junk_times: int) -> None:
    """A new path always finds room: the one that was confirmed least often goes."""
    learned = LearnedPaths()
    for index in range(100):
        for _ in range(junk_times):
            learned.confirm(BasePath(f"/junk{index}"))

    learned.confirm(APP)

    assert APP in learned.paths
    assert len(learned.paths) == MAX_LEARNED


def test_a_path_in_use_outlives_a_scanner() -> None:
    """Pages that are loaded again and again confirm theirs."""
    learned = _learned("/app")
    learned.confirm(APP)

    for index in range(500):
        learned.confirm(BasePath(f"/junk{index}"))

    assert APP in learned.paths


def test_one_scanner_drives_out_no_path_that_others_use() -> None:
    """466 requests did, by confirming each of their own more often."""
    learned = LearnedPaths()
    learned.confirm(APP, "192.0.2.1")
    learned.confirm(APP, "192.0.2.2")
    learned.restore([NESTED])

    for index in range(100):
        for _ in range(20):
            learned.confirm(BasePath(f"/junk{index}"), "203.0.113.9")

    assert {APP, NESTED} <= set(learned.paths)


def test_many_changes_are_one_write_now_and_one_later() -> None:
    """Each was a write and a line of log. The disk may hang: nobody waits for it."""

    async def run() -> list[tuple[BasePath, ...]]:
        written: list[tuple[BasePath, ...]] = []
        loop, later = asyncio.get_running_loop(), asyncio.Event()
        began, disk = asyncio.Event(), threading.Event()

        def write(paths: tuple[BasePath, ...]) -> None:
            loop.call_soon_threadsafe(began.set)
            assert disk.wait(30)
            written.append(paths)
            if len(written) > 1:
                loop.call_soon_threadsafe(later.set)

        keep = Debounced(write, pause_s=0.05)
        keep((APP,))
        await asyncio.wait_for(began.wait(), 30)
        for number in range(466):
            keep((APP, BasePath(f"/{number}")))
        disk.set()  # by the loop, which is free
        await asyncio.wait_for(later.wait(), 30)
        return written

    assert asyncio.run(run()) == [(APP,), (APP, BasePath("/465"))]


def test_paths_are_reported_deepest_first_and_only_when_new() -> None:
    """Saving happens once for each new path, not for each page."""
    reported: list[tuple[BasePath, ...]] = []
    learned = LearnedPaths(on_change=reported.append)

    for path in (APP, NESTED, APP, NESTED):
        learned.confirm(path)

    assert reported == [(APP,), (NESTED, APP)]


def test_restoring_is_no_news() -> None:
    """What comes from the disk is not written back."""
    reported: list[tuple[BasePath, ...]] = []
    learned = LearnedPaths(on_change=reported.append)

    learned.restore([APP])

    assert (reported, learned.paths) == ([], (APP,))


@pytest.mark.parametrize(
    ("path", "is_served"),
    [
        ("/app/app/static/a.txt", True),
        ("/app/app/static/../admin", False),
        ("/app/app/static//admin", False),
        ("/app/app/static/%2e%2e/admin", False),
        ("/app/App/static/a.txt", False),
        ("/app/app/staticx", False),
    ],
)
def test_static_files_of_the_app_are_no_doubled_base(path: str, is_served: bool) -> None:
    """Streamlit serves them at `app/static/`, which doubles `/app` before the mode is known."""
    paths = PublicPaths(known=(BasePath("/app"),))

    assert (paths.resolve(paths.locate(path), path) is not None) == is_served


@pytest.mark.parametrize(
    ("path", "is_understood"),
    [
        ("/app_stcore/health", True),
        ("/app_stcore/stream", True),
        ("/app_stcore/upload_file/s/f", True),
        ("/app_stlaunch/page.js", True),
        ("/app_stlaunch/tunnel/id", True),
        ("/appstatic/js/index.js", True),
        ("/appmedia/x.png", True),
        ("/appcomponent/a.b/index.html", True),
        ("/appapp/static/a.txt", True),
        ("/appfavicon.png", True),
        ("/half_stcore/health", True),
        ("/app_stcore/metrics", False),
        ("/app_stcore/agent/mcp", False),
        ("/app_stlaunch/check", False),
        ("/app_stlaunch/metrics", False),
        ("/appstatic/../_stcore/metrics", False),
        ("/appstatic/%2e%2e/_stcore/metrics", False),
        ("/appstatic//js/index.js", False),
        ("/apple", False),
        ("/app", False),
        ("/app/_stcore/health", False),
        ("/x_stcore/health", False),
    ],
)
def test_a_left_out_slash_is_understood_for_what_pages_need(path: str, is_understood: bool) -> None:
    paths = PublicPaths(known=(BasePath("/app"),), mounts=(BasePath("/half"),))

    assert (paths.glued_base(path) is not None) == is_understood


@pytest.mark.parametrize("mode", [KEPT, STRIPPED])
def test_a_page_that_was_loaded_with_its_slash_ends_it(mode: PrefixMode) -> None:
    paths = PublicPaths(known=(BasePath("/app"),))
    paths.seen.glued.add(BasePath("/app"))
    paths.seen.note(BasePath("/app"), mode)

    assert paths.glued_base("/app_stcore/health") is None
    assert paths.glued_base("/app") is None


@pytest.mark.parametrize("rule", [rule for rule in PrefixRule if rule is not PrefixRule.AUTO])
def test_a_user_who_says_what_the_proxy_does_is_believed(rule: PrefixRule) -> None:
    paths = PublicPaths(known=(BasePath("/app"),), rule=rule)

    assert paths.glued_base("/app_stcore/health") is None
