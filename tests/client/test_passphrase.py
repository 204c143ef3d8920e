"""What is said of a passphrase while somebody chooses it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client.passphrase import acceptable, strength


@pytest.mark.parametrize("nothing", ["", " ", "\t \u2003"])
def test_nothing_is_no_passphrase(nothing: str) -> None:
    assert not acceptable(nothing)
    assert not strength(nothing).startswith(("Weak", "Fair", "Good"))


@pytest.mark.parametrize(
    ("passphrase", "word"),
    [
        ("aaaaaaaaaaaaaaaaaaaa", "Weak"),
        ("abcabcabcabcabcabc", "Weak"),
        ("x7!Kq", "Weak"),
        ("2026112512345678", "Weak"),
        ("correct horse", "Fair"),
        ("correct horse battery staple", "Good"),
    ],
)
def test_length_and_variety_are_put_into_words(passphrase: str, word: str) -> None:
    assert strength(passphrase).startswith(word)


@given(st.text(), st.text())
def test_more_of_the_same_passphrase_is_never_called_worse(passphrase: str, more: str) -> None:
    order = ("Four", "Weak", "Fair", "Good")
    assert order.index(strength(passphrase).split(maxsplit=1)[0].rstrip(":,")) <= order.index(
        strength(passphrase + more).split(maxsplit=1)[0].rstrip(":,")
    )
