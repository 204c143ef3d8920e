"""What a page sends is read or dropped, whatever it is."""

import json

from hypothesis import given
from hypothesis import strategies as st

from client.web.typed import SIDE_LIMIT, Blur, Focus, Ping, Resize, Size, Stdin, first_size, read

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
KINDS = st.sampled_from(["stdin", "resize", "ping", "focus", "blur", "quit"])


def test_what_the_page_sends_is_understood() -> None:
    assert read('["stdin","é\\r"]') == Stdin("é\r")
    assert read('["resize",{"width":120,"height":40}]') == Resize(Size(120, 40))
    assert read('["ping","1795000000"]') == Ping("1795000000")
    assert (read('["focus"]'), read('["blur"]')) == (Focus(), Blur())


@given(st.text() | JSON.map(json.dumps) | st.tuples(KINDS, JSON).map(json.dumps))
def test_anything_else_is_dropped(message: str) -> None:
    typed = read(message)
    if isinstance(typed, Resize):
        assert 1 <= typed.size.width <= SIDE_LIMIT
        assert 1 <= typed.size.height <= SIDE_LIMIT
    elif isinstance(typed, Stdin):
        assert json.loads(message)[:2] == ["stdin", typed.text]


@given(st.dictionaries(st.sampled_from(["width", "height"]), st.text() | st.integers().map(str)))
def test_a_first_size_can_always_be_drawn(query: dict[str, str]) -> None:
    size = first_size(query)
    assert 1 <= size.width <= SIDE_LIMIT
    assert 1 <= size.height <= SIDE_LIMIT
