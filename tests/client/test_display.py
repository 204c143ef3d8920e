"""What a person sees: nothing that others wrote passes for a row, a version or a name that it is not."""

from client.formats.content import Content
from client.formats.parts import MultiPart, Semantics, SinglePart
from client.formats.reading import read
from client.formats.text import folded
from client.words.wording import describe


def test_long_text_never_begins_a_line_of_the_terminal() -> None:
    row = (
        "[club] ? NO PROOF +1 202-555-0144: " + " " * 45 + "[club] \u2713 NUMBER VERIFIED +1 202-555-0142: pay Mallory"
    )
    first, *others = folded(row, 80).split("\n")
    assert len(first) == 80
    assert others
    assert all(line.startswith("    ") and len(line) <= 80 for line in others)


def test_wide_characters_count_twice_and_lines_of_the_text_are_indented() -> None:
    assert folded("\u6f22" * 6, 8) == "\u6f22" * 4 + "\n    " + "\u6f22" * 2
    assert folded("one\ntwo", None) == "one\n    two"


def test_other_versions_of_a_text_are_made_known() -> None:
    one, two = (SinglePart("text/plain;charset=utf-8", text) for text in (b"yes", b"no"))
    unknown = SinglePart("application/unknown", b"")
    chosen = Content("mimi://x/u/+1", "mimi://x/g/A", MultiPart(Semantics.CHOOSE_ONE, (one, two)))
    assert describe(read(chosen)) == "yes\n(1 other versions of this text were sent with it)"
    mixed = Content("mimi://x/u/+1", "mimi://x/g/A", MultiPart(Semantics.PROCESS_ALL, (one, unknown)))
    assert describe(read(mixed)) == "yes\n(1 parts are of kinds that this version does not show)"
