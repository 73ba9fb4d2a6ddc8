"""Arguments: each one goes to stlaunch, to Streamlit or to the script, and none is lost."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stlaunch.cli.arguments import split_arguments
from stlaunch.errors import UsageError
from stlaunch.settings.fields import FIELDS

EXISTING = {"app.py", "folder", "main:app"}


@pytest.mark.parametrize(
    ("line", "own", "flags", "script_args"),
    [
        pytest.param("", "", [], "", id="nothing"),
        pytest.param("app.py", "app.py", [], "", id="app"),
        pytest.param(
            "app.py --server.headless true x",
            "app.py x",
            [("server.headless", "true")],
            "",
            id="streamlit-flag",
        ),
        pytest.param(
            "--theme.base=dark=1 app.py", "app.py", [("theme.base", "dark=1")], "", id="equals"
        ),
        pytest.param("--theme.base= app.py", "app.py", [("theme.base", "")], "", id="equals-empty"),
        pytest.param("--a.b -1", "", [("a.b", "-1")], "", id="negative-value"),
        pytest.param("--a.b 1 --a.b 2", "", [("a.b", "1"), ("a.b", "2")], "", id="repeated"),
        pytest.param("app.py -- --x.y -- z", "app.py", [], "--x.y -- z", id="script-arguments"),
        pytest.param("--host a.b", "--host a.b", [], "", id="dot-in-a-value"),
        pytest.param("--config-out=a.toml", "--config-out=a.toml", [], "", id="dot-behind-equals"),
        pytest.param("-x.y", "-x.y", [], "", id="single-dash"),
        pytest.param("--port 1 app.py", "--port 1 app.py", [], "", id="own-value"),
    ],
)
def test_words_are_sorted(
    line: str, own: str, flags: list[tuple[str, str]], script_args: str
) -> None:
    arguments = split_arguments(line.split(), exists=EXISTING.__contains__)

    assert arguments.own == own.split()
    assert arguments.streamlit_flags == flags
    assert arguments.script_args == script_args.split()


@pytest.mark.parametrize(
    ("line", "own"),
    [
        pytest.param("--behind-proxy", "--behind-proxy=", id="alone"),
        pytest.param("--behind-proxy app.py", "--behind-proxy= app.py", id="before-the-script"),
        pytest.param("--behind-proxy new.py", "--behind-proxy= new.py", id="before-a-missing-one"),
        pytest.param("--behind-proxy folder", "--behind-proxy= folder", id="before-a-folder"),
        pytest.param("--behind-proxy m:app", "--behind-proxy= m:app", id="before-an-import"),
        pytest.param(
            "--behind-proxy /srv/app.py", "--behind-proxy= /srv/app.py", id="before-an-absolute-one"
        ),
        pytest.param("--behind-proxy --port 1", "--behind-proxy= --port 1", id="before-a-flag"),
        pytest.param("--behind-proxy -h", "--behind-proxy= -h", id="before-a-short-flag"),
        pytest.param("--behind-proxy /x app.py", "--behind-proxy=/x app.py", id="path"),
        pytest.param("--behind-proxy x app.py", "--behind-proxy=x app.py", id="word"),
        pytest.param("--behind-proxy https://h/x", "--behind-proxy=https://h/x", id="url"),
        pytest.param("app.py --behind-proxy x", "app.py --behind-proxy=x", id="word-behind-app"),
        pytest.param(
            "app.py --behind-proxy folder", "app.py --behind-proxy=folder", id="word-that-exists"
        ),
        pytest.param("--behind-proxy=app.py", "--behind-proxy=app.py", id="equals-always"),
        pytest.param(
            "--behind-proxy /a --behind-proxy /b", "--behind-proxy=/a --behind-proxy=/b", id="twice"
        ),
        pytest.param("--behind-proxy -- /a", "--behind-proxy=", id="before-the-end"),
    ],
)
def test_value_of_behind_proxy_is_distinguished_from_the_app(line: str, own: str) -> None:
    arguments = split_arguments(line.split(), exists=EXISTING.__contains__)

    assert arguments.own == own.split()


@pytest.mark.parametrize(
    "line",
    ["--a.b", "app.py --a.b --port 1", "--a.b -- x", "--port", "--port --host x"],
    ids=["last", "before-a-flag", "before-the-end", "own-last", "own-before-a-flag"],
)
def test_flag_without_its_value_is_refused(line: str) -> None:
    with pytest.raises(UsageError, match=r"The flag --(a\.b|port) needs a value") as caught:
        split_arguments(line.split())

    assert "=VALUE" in caught.value.hint


WORDS = st.one_of(
    st.text(max_size=6),
    st.sampled_from([field.flag for field in FIELDS]),
    st.sampled_from(["--", "--a.b", "--a.b=c", "app.py", "/app", "x", "folder", "https://h/p"]),
)


@given(st.lists(WORDS, max_size=12))
def test_no_word_is_lost(argv: list[str]) -> None:
    try:
        arguments = split_arguments(argv, exists=EXISTING.__contains__)
    except UsageError as exc:
        assert "needs a value" in exc.message  # noqa: PT017 - the one reason to refuse
        return

    # Joined by "=", a flag and its value are one text whichever way they were written.
    end = argv.index("--") if "--" in argv else len(argv)
    given_text = "=".join(argv[:end])
    flags = ["--" + "=".join(flag) for flag in arguments.streamlit_flags]
    sorted_words = "=".join([*arguments.own, *flags])

    assert arguments.script_args == argv[end + 1 :]
    assert sorted(given_text.replace("=", "")) == sorted(sorted_words.replace("=", ""))
    assert not any(_is_streamlit_flag(word) for word in arguments.own)


def _is_streamlit_flag(word: str) -> bool:
    return word.startswith("--") and "." in word.partition("=")[0]
