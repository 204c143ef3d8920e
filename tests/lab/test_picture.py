"""A terminal's output as a picture: every character in its column, nothing that XML could misread."""

from xml.etree import ElementTree

from lab.paint import Ink, Paint
from lab.picture import CELL_WIDTH, LINE_HEIGHT, MARGIN, abridged, draw

SVG = "{http://www.w3.org/2000/svg}"
INK = Paint(colour=True)


def drawn_texts(printed: str) -> list[ElementTree.Element]:
    document = ElementTree.fromstring(draw(printed, "title"))
    return list(document.iter(f"{SVG}text"))[1:]  # the first is the title


def test_runs_stand_in_their_columns_and_lines() -> None:
    first, second, third = drawn_texts(f"one {INK(Ink.GOOD, 'two')}\n\nthree")
    assert [element.text for element in (first, second, third)] == ["one ", "two", "three"]
    assert float(second.attrib["x"]) == round(MARGIN + 4 * CELL_WIDTH, 1)
    assert float(third.attrib["y"]) - float(first.attrib["y"]) == 2 * LINE_HEIGHT


def test_inks_have_colours() -> None:
    fills = {
        element.text: element.attrib["fill"] for element in drawn_texts(f"{INK(Ink.BAD, 'bad')}{INK(Ink.GOOD, 'good')}")
    }
    assert fills["bad"] != fills["good"]


def test_markup_in_the_output_is_text() -> None:
    (element,) = drawn_texts("<script>&amp;</script>")
    assert element.text == "<script>&amp;</script>"


def test_text_without_colour_has_no_escapes() -> None:
    assert Paint(colour=False)(Ink.BAD, "bad") == "bad"


def test_abridging_keeps_the_first_attacks_and_the_closing_line() -> None:
    printed = (
        "1  Heading\n\n   1  First\n      deed\n\n   2  Second\n\n   3  Third\n\n5  Table\n   1  First\n\n3 refused"
    )
    short = abridged(printed, attacks=1)
    assert short.startswith("1  Heading\n\n   1  First")
    assert "Second" not in short
    assert "and 2 more" in short
    assert short.endswith("more\x1b[0m\n\n3 refused")
