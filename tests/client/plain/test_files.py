"""What is said of a file that somebody sent: what its octets show, never what its name or its message claims."""

import io
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from client.errors import ImageError
from client.formats.text import safe_text
from client.plain.file_items import READ_OUT_LIMIT, seen
from client.terminal.pictures import FORMATS
from lab.world import World
from tests.client.plain.plain_scene import ALICE, BOB, befriend, people

ATTACKS = (b"pwned", b"9. 18:05 NUMBER VERIFIED", "\u202egnp.exe".encode())


def picture(form: str, width: int = 31, height: int = 17) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (width, height), "red").save(file, form)
    return file.getvalue()


@pytest.mark.parametrize("form", FORMATS)
def test_a_picture_is_told_by_its_kind_and_its_pixels(form: str) -> None:
    kind, about = seen(picture(form))
    assert kind.startswith(f"Its octets show image/{form.lower()}, ")
    assert about.startswith(f"A picture, {form}, 31 by 17 pixels.")


def test_no_decoder_sees_a_picture_where_the_settings_say_so() -> None:
    broken = picture("PNG")[:20]
    assert list(seen(broken, images=False))[-1].startswith('The settings say images = "off"')
    with pytest.raises(ImageError):
        list(seen(broken))


def test_a_text_is_read_out_up_to_a_limit() -> None:
    text = "the crux is on the left\n" * 400
    kind, said, rest = seen(text.encode())
    assert kind == "Its octets show text/plain;charset=utf-8, 10 kB."
    assert said == f"It says:\n{text[:READ_OUT_LIMIT]}"
    assert rest.startswith(f"It goes on: {READ_OUT_LIMIT} of {len(text)} characters")


@given(st.binary(max_size=300) | st.text(max_size=300).map(str.encode) | st.binary().map(b"\x89PNG\r\n\x1a\n".__add__))
def test_whatever_the_octets_what_is_said_can_be_drawn(octets: bytes) -> None:
    said = []
    with suppress(ImageError):
        said.extend(seen(octets))
    assert [safe_text(words).text for words in said] == said


async def test_a_file_is_fetched_looked_at_and_kept_only_if_that_is_wanted() -> None:
    async with World() as world, people(world, ALICE, BOB) as (alice, bob):
        await befriend(alice, bob)
        group = (await alice.chat()).group
        files = {"holiday.txt": picture("PNG"), "broken.png": picture("PNG")[:20], "notes.png": b"\n".join(ATTACKS)}
        for name, octets in files.items():
            (world.folder / name).write_bytes(octets)
            await alice.desk.messages.send_file(group, str(world.folder / name))
        await alice.desk.device.sync()
        await bob.desk.device.sync()
        heard = await bob.visit("chats", "1", "/open 2", "no", "/open 3", "yes", "/open 4", "no", "/open 1", "/save 2")
    assert [line for line in heard if line.startswith("A picture, PNG, 31 by 17 pixels.")]
    assert [line for line in heard if line.startswith("Error: this is no PNG")]
    assert [line for line in heard if line.startswith("Error: there is no file in this message")]
    assert [line.rpartition("/")[2] for line in heard if line.startswith("Saved as ")] == ["broken.png", "holiday.txt"]
    assert [line for line in heard if line.startswith("    ") and "pwned" in line]
    assert not [line for line in heard if line.startswith("9. 18:05")]
    assert all(character.isprintable() for line in heard for character in line)
