"""Settings: every file gives settings or words that say where it is wrong, and writing keeps what a person wrote."""

import dataclasses
import typing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client.config import Config, config_path, load_config, parse_config, save_config
from client.errors import ConfigError

WRITTEN = """\
# my settings
theme = "light"  # for the balcony
lock_after_minutes = 10

[keys]
# like the old program
find = "ctrl+f"
"""


def choices(name: str) -> list[str]:
    return list(typing.get_args(typing.get_type_hints(Config)[name]))


CONFIGS = st.builds(
    Config,
    **{
        name: st.sampled_from(choices(name))
        for name in ("theme", "key_profile", "notifications", "emoji", "images", "clipboard")
    },
    bell=st.booleans(),
    lock_after_minutes=st.integers(0, 10080),
    keys=st.dictionaries(
        st.text(st.characters(codec="utf-8"), max_size=8), st.text(st.characters(codec="utf-8"), max_size=8)
    ),
    download_folder=st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8).map(
        lambda tail: Path("/" + tail)
    ),
)


def refusal(octets: bytes) -> ConfigError | None:
    """The error for a file, None if it gives settings."""
    try:
        parse_config(octets)
    except ConfigError as error:
        return error
    return None


@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "replace")))
def test_any_octets_are_settings_or_an_error_that_says_what_to_do(octets: bytes) -> None:
    error = refusal(octets)
    assert error is None or (str(error).isprintable() and error.hint)


SETTING_LIKE = st.builds(
    "{} = {}".format,
    st.sampled_from([*(item.name for item in dataclasses.fields(Config)), "keys.find", "nothing"]),
    st.sampled_from(
        [
            '"auto"',
            '"light"',
            "1",
            "-1",
            "true",
            "1.5",
            "[]",
            "{}",
            '{find = "x"}',
            "1979-05-27",
            '"/a"',
            '"~nobody/x"',
            '"\\u0000"',
        ]
    ),
)


@given(st.lists(SETTING_LIKE, max_size=5, unique_by=lambda line: line.partition(" ")[0].partition(".")[0]))
def test_any_value_of_any_kind_is_taken_or_refused_with_its_line(lines: list[str]) -> None:
    error = refusal("\n".join(lines).encode())
    assert error is None or str(error).startswith("line ")


@pytest.mark.parametrize(
    ("octets", "words"),
    [
        (
            b'theme = "dark"\nlock_after_minute = 5\n',
            "line 2: there is no setting 'lock_after_minute'; there are theme,",
        ),
        (b'\n\ntheme = "pink"', 'line 3: theme must be one of "auto", "dark"'),
        (b"bell = 1", "line 1: bell must be true or false"),
        (b"lock_after_minutes = true", "line 1: lock_after_minutes must be a number of minutes"),
        (b"lock_after_minutes = 20000", "from 0 (never) to 10080"),
        (b'download_folder = "here"', 'begins with "/" or "~/"'),
        (b"[keys]\nsend = 3", "line 2: keys has something else than a text for 'send'"),
        (b"[colours]\nred = 1", "line 1: there is no setting 'colours'"),
        (b"keys = 1", "keys must be a table"),
        (b"theme = ", "this is not TOML: Invalid value (at end of document)"),
        (b"\xff", "this is not TOML"),
        (b"a = " + b"[" * 20_000, "this is not TOML"),
        (b"a = " + b"1" * 20_000, "this is not TOML"),
        (b"#" * 70_000, "more than 65536 octets"),
        (b"\x1b[2J = 1", "this is not TOML"),
        (b'"\\u001b[2J" = 1', "there is no setting '\\x1b[2J'"),
    ],
)
def test_a_wrong_file_is_refused_in_words(octets: bytes, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config(octets)
    assert words in str(caught.value)
    assert str(caught.value).isprintable()


def test_without_a_file_everything_has_a_default(tmp_path: Path) -> None:
    assert load_config(tmp_path / "config.toml") == Config()


def test_an_error_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("bell = 2")
    with pytest.raises(ConfigError, match=r"config\.toml: line 1: bell"):
        load_config(tmp_path / "config.toml")


def test_a_folder_in_place_of_the_file_is_an_error_in_words(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config(tmp_path)


def test_home_is_where_the_download_folder_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/mei")
    assert parse_config(b'download_folder = "~/in"').download_folder == Path("/home/mei/in")


@given(written=CONFIGS, then=CONFIGS)
def test_what_was_written_is_read_again(
    tmp_path_factory: pytest.TempPathFactory, written: Config, then: Config
) -> None:
    path = tmp_path_factory.mktemp("config") / "new" / "config.toml"
    for config in (written, then):
        save_config(path, config)
        assert load_config(path) == config


def test_writing_keeps_comments_order_and_what_did_not_change(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(WRITTEN)
    save_config(path, dataclasses.replace(load_config(path), theme="dark"))
    assert path.read_text() == WRITTEN.replace('"light"', '"dark"')


def test_a_new_choice_of_keys_keeps_the_comments_of_the_others(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(WRITTEN)
    present = load_config(path)
    save_config(path, dataclasses.replace(present, keys={**present.keys, "quit": "ctrl+q"}))
    assert path.read_text() == WRITTEN + 'quit = "ctrl+q"\n'


def test_a_linked_file_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "kept.toml").write_text(WRITTEN)
    (tmp_path / "config.toml").symlink_to(tmp_path / "kept.toml")
    save_config(tmp_path / "config.toml", Config(theme="dark"))
    assert (tmp_path / "config.toml").is_symlink()
    assert load_config(tmp_path / "kept.toml").theme == "dark"


def test_a_place_that_cannot_be_written_is_an_error_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError):
        save_config(tmp_path / "file" / "config.toml", Config(theme="dark"))


def test_a_variable_names_another_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RINGTRUE_CONFIG", "/elsewhere/settings.toml")
    assert config_path() == Path("/elsewhere/settings.toml")


def test_the_file_is_in_the_users_configuration_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("RINGTRUE_CONFIG", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert config_path() == tmp_path / "ringtrue" / "config.toml"
