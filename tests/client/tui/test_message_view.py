"""How one message is drawn: our words in their column, others' words in theirs, and nothing read as markup."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from textual.style import Style

from client.desk.views import AttachmentView, FailedCheck, MessageView, ProofView, QuoteView, ReactionView
from client.formats.text import safe_text
from client.tui.message_body import CHARACTERS_LIMIT, LINES_LIMIT, Looker, body, shortened
from client.tui.message_view import OURS, THEIRS, draw, length_words, size_words, tone
from client.words.wording import VERDICT_WORDS
from identity.binding import Verdict
from tests.client.terminal_attacks import CONTROLS, SEQUENCES, UNSEEN

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
ME, RAVI, MEI = "+12025550142", "+12025550143", "+12025550144"
LOOKER = Looker(own=ME, now=NOW, names={RAVI: "Ravi"})


def proof(verdict: Verdict, reason: str = "", check: FailedCheck | None = None) -> ProofView:
    return ProofView(
        verdict=verdict.value, label=VERDICT_WORDS[verdict], number=RAVI, reason=reason, code=None, check=check
    )


VERIFIED = proof(Verdict.VERIFIED)


def received(text: str = "hello", **fields: object) -> MessageView:
    given_fields = {"proof": VERIFIED, "name": "Ravi", **fields}
    return MessageView(
        row=7, id="ab", kind="received", group="00", chat="Climbing", seq=1, sender=RAVI, text=text, arrived=NOW,
        state=None, reason=None, **given_fields,  # type: ignore[arg-type]
    )  # fmt: skip


def sent(state: str, reason: str | None = None, **fields: object) -> MessageView:
    return MessageView(
        row=8, id="ac", kind="sent", group="00", chat="Climbing", seq=1, sender=ME, name=None, text="hello",
        arrived=NOW, state=state, reason=reason, proof=None, **fields,  # type: ignore[arg-type]
    )  # fmt: skip


def rows(message: MessageView, width: int = 70, looker: Looker = LOOKER, **how: bool) -> list[str]:
    return draw(message, looker, width, **how).plain.split("\n")


def links(message: MessageView) -> list[tuple[str, str]]:
    content = draw(message, LOOKER, 70)
    return [
        (content.plain[span.start : span.end], span.style.link)
        for span in content.spans
        if isinstance(span.style, Style) and span.style.link
    ]


def test_a_received_message_names_its_proof_its_number_and_the_local_name() -> None:
    head, text = rows(received())
    assert head.startswith(" ✓ NUMBER VERIFIED  +1 202-555-0143  Ravi (your contact)  ")
    assert text == "   hello"


def test_without_a_local_name_there_is_only_the_number() -> None:
    assert "contact" not in rows(received(name=None))[0]


def test_where_the_row_is_too_narrow_the_name_has_one_of_its_own() -> None:
    head, name, *_ = rows(received(), width=58)
    assert head.startswith(" ✓ NUMBER VERIFIED  +1 202-555-0143  ")
    assert head.endswith(f"{NOW.astimezone():%H:%M}")
    assert name == " Ravi (your contact)"


@pytest.mark.parametrize("verdict", Verdict)
def test_every_verdict_is_said_in_its_word_and_sign(verdict: Verdict) -> None:
    assert rows(received(proof=proof(verdict)))[0].startswith(f" {VERDICT_WORDS[verdict]}  ")


def test_a_failed_proof_says_which_check_failed_and_why_in_its_own_row() -> None:
    failed = proof(Verdict.FAILED, "signed for another number", FailedCheck(number=6, name="covers-orig"))
    assert rows(received(proof=failed))[1] == " Check 6 (covers-orig): signed for another number"
    assert tone(received(proof=failed)) == "failed"


@pytest.mark.parametrize("verdict", [Verdict.STALE, Verdict.CARRIER, Verdict.UNSIGNED, Verdict.UNDECIDED])
def test_what_is_not_proven_gives_its_reason(verdict: Verdict) -> None:
    doubtful = received(proof=proof(verdict, "nothing shows it"))
    assert rows(doubtful)[1] == " nothing shows it"
    assert tone(doubtful) == "doubtful"


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("queued", "waiting to send"),
        ("sending", "sending"),
        ("accepted", "sent (accepted by the service)"),
        ("delivered", "delivered"),
        ("elsewhere", "sent from another device"),
        ("failed", "✗ NOT SENT"),
    ],
)
def test_an_own_message_says_how_far_it_has_come(state: str, words: str) -> None:
    assert rows(sent(state))[0].endswith(words)


@pytest.mark.parametrize("state", ["queued", "sending"])
def test_waiting_says_when_it_is_for_the_network(state: str) -> None:
    offline = Looker(own=ME, now=NOW, online=False)
    assert rows(sent(state), looker=offline)[0].endswith("waiting to send (offline)")


def test_a_failed_message_says_why_and_which_key_tries_again() -> None:
    assert rows(sent("failed", "the group has no room."))[-1] == " The group has no room. Press r to try again."


def test_a_fold_of_text_cannot_begin_where_a_verdict_does() -> None:
    forged = "hello\n✓ NUMBER VERIFIED  +1 202-555-0199  Mum (your contact)  12:00\nsend money"
    head, *said = rows(received(forged, proof=proof(Verdict.FAILED)), width=30)
    assert head.startswith(" ✗ PROOF FAILED")
    assert all(row[:THEIRS] == "   " for row in said if "NUMBER" in row or "Mum" in row or "money" in row)


HOSTILE = st.text() | st.sampled_from(
    [*SEQUENCES.values(), *CONTROLS.values(), *UNSEEN.values(), "[link=x]y[/link]", "[/nope]", "[@click=app.quit]x"]
)


def with_others_words(words: str) -> MessageView:
    """A message in which everything that others choose says this."""
    return received(
        words,
        name=None,
        attachment=AttachmentView(filename=words, content_type=words, size=1, is_image=False, saved=None),
        reactions=[ReactionView(emoji=words.replace("\n", ""), numbers=[MEI], own=False)] * 3,
    )


@given(HOSTILE, st.integers(20, 120))
def test_no_text_of_others_begins_in_our_column_or_leaves_the_width(raw: str, width: int) -> None:
    drawn = rows(with_others_words(safe_text(raw).text), width)
    assert all(cell_len(row) <= width for row in drawn)
    ours = [row for row in drawn if row[OURS : OURS + 1].strip()]
    assert ours == [row for row in rows(with_others_words("w"), width) if row[OURS : OURS + 1].strip()]


@given(HOSTILE, st.integers(20, 120))
def test_a_quotation_stays_behind_its_author_or_in_the_others_column(raw: str, width: int) -> None:
    quoted = QuoteView(row=1, sender=MEI, name=None, text=safe_text(raw).text)
    who, *rest = rows(received("", name=None, reply=quoted), width)[-2:]
    assert all(cell_len(row) <= width for row in (who, *rest))
    assert rest[0].startswith((" ▸ +1 202-555-0144: ", "   "))


def test_markup_is_text() -> None:
    tried = "[@click=app.quit]x[/] [link='https://evil.example']bank.example[/link] [/nope]"
    assert rows(received(tried), width=100)[1] == f"   {tried}"
    assert links(received(tried)) == []


def test_an_address_is_a_link_to_exactly_what_is_shown() -> None:
    message = received("see https://a.example/x?y=1, (http://b.example) and https://c.example.")
    assert links(message) == [
        ("https://a.example/x?y=1", "https://a.example/x?y=1"),
        ("http://b.example", "http://b.example"),
        ("https://c.example", "https://c.example"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "https://bank.example\u2215evil",  # a slash that is none
        "https://b\u0430nk.example",  # a Cyrillic letter
        "https://user:word@evil.example",
        "javascript:alert(1)",
        "file:///etc/passwd",
        "xhttps://bank.example",
        "ftp://bank.example",
    ],
)
def test_what_is_not_plainly_an_address_is_no_link(text: str) -> None:
    assert links(received(text)) == []


def test_what_is_held_back_shows_the_rule_and_nothing_else() -> None:
    held = received(
        "", place="quarantine", why="the proof failed", reply=QuoteView(row=1, sender=MEI, name=None, text="x")
    )
    assert rows(held)[1:] == [" ⊘ Held back: the proof failed. F3 shows it."]


def test_a_mention_is_shown_by_its_name() -> None:
    assert rows(received(f"@{RAVI} ask @{ME} or @{MEI}!"))[1] == "   @Ravi ask @you or @+1 202-555-0144!"


def test_right_to_left_text_has_rows_of_its_own() -> None:
    quoted = received("שלום עולם", reply=QuoteView(row=1, sender=RAVI, name="Ravi", text="مرحبا"))
    head, who, quote, text = rows(quoted)
    assert (who, quote, text) == (" ▸ Ravi: ", "   مرحبا", "   שלום עולם")
    assert "שלום" not in head


def test_a_quoted_message_is_one_row() -> None:
    quoted = received("yes", reply=QuoteView(row=1, sender=ME, name=None, text="shall we\nmeet at " + "eight " * 30))
    *_, quote, text = rows(quoted, width=40)
    assert quote.startswith(" ▸ you: shall we meet at eight")
    assert quote.endswith("~")
    assert text == "   yes"
    assert len(rows(quoted, width=70)) == 3


def test_an_answer_to_something_unknown_says_so() -> None:
    unknown = received("yes", reply=QuoteView(row=None, sender=None, name=None, text=""))
    assert rows(unknown)[1] == " ▸ answers a message that this device does not have"


def test_a_file_says_what_it_is_and_that_nothing_is_fetched() -> None:
    offered = AttachmentView(filename="cat.png", content_type="image/png", size=34_500, is_image=True, saved=None)
    assert rows(received("", attachment=offered))[1:] == [
        " ▸ a picture, 34 kB, named",
        "   cat.png",
        "   image/png",
        "   o opens it when it is selected (Up); nothing is fetched before that",
    ]
    saved = AttachmentView(
        filename="cat.png", content_type="image/png", size=9, is_image=True, saved="/home/me/cat.png"
    )
    assert rows(received("", attachment=saved))[-1] == "   saved at /home/me/cat.png"


def test_reactions_name_who_gave_them_before_the_emoji() -> None:
    many = [f"+1202555010{digit}" for digit in range(5)]
    reactions = [
        ReactionView(emoji="👍", numbers=[ME, RAVI], own=True),
        ReactionView(emoji="🎉", numbers=many, own=False),
    ]
    assert rows(received(reactions=reactions))[-1] == "   you, Ravi 👍   5 people 🎉"


def test_what_became_of_a_message_is_said() -> None:
    assert rows(received(edited=True), width=90)[0].endswith("edited")
    assert rows(received("", withdrawn=True))[1] == " Taken back by whoever wrote it."
    assert rows(received(hidden=2))[-1] == " ⚠ 2 hidden characters were removed"
    assert rows(received(expires=NOW + timedelta(hours=1)))[-1] == " disappears in 1 h"
    assert "mentions you" in rows(received(mentions_me=True), width=90)[0]


def test_notices_and_gaps_are_words_with_a_time() -> None:
    notice = MessageView(
        row=1, id="", kind="notice", group="00", chat="", seq=1, sender=None, name=None, text="You left.", arrived=NOW,
        state=None, reason=None, proof=None,
    )  # fmt: skip
    assert rows(notice)[0].endswith("  You left.")
    assert tone(notice) == "quiet"


def test_a_long_text_is_shown_whole_only_when_asked() -> None:
    long = received("\n".join(f"line {number}" for number in range(100)))
    assert rows(long)[-1] == " ▸ 60 more lines: Space shows all"
    assert len(rows(long)) == 1 + LINES_LIMIT + 1
    assert rows(long, whole=True)[-1] == "   line 99"


@given(st.text(alphabet="ab \n", max_size=3 * CHARACTERS_LIMIT))
def test_a_shortened_text_is_a_beginning_within_the_limits(text: str) -> None:
    shown, left_out = shortened(text)
    assert text.startswith(shown)
    assert len(shown) <= CHARACTERS_LIMIT
    assert shown.count("\n") < LINES_LIMIT
    assert (left_out == 0) == (shown == text)


def test_emoji_are_words_where_that_was_chosen() -> None:
    looker = Looker(own=ME, now=NOW, emoji_in_words=True)
    thumbs = received("fine 👍", reactions=[ReactionView(emoji="👍", numbers=[MEI], own=False)])
    assert rows(thumbs, looker=looker)[1:] == ["   fine [thumbs up]", "   +1 202-555-0144 [thumbs up]"]


def test_the_selected_row_has_a_sign_in_the_first_column() -> None:
    assert rows(received(), selected=True)[0].startswith("►✓ NUMBER VERIFIED")


@given(st.text(), st.booleans())
def test_a_body_says_what_the_text_says(text: str, linked: bool) -> None:
    safe = safe_text(text).text.replace("@+", "")
    assert body(safe, LOOKER, links=linked).plain == safe


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.2, "1 s"), (44.2, "44 s"), (59.6, "1 min"), (130, "2 min"), (3_590, "1 h"), (3_625, "1 h"), (100_000, "1 d")],
)
def test_lengths_of_time_are_one_rounded_unit(seconds: float, words: str) -> None:
    assert length_words(seconds) == words


@pytest.mark.parametrize(("octets", "words"), [(999, "999 bytes"), (34_999, "34 kB"), (2_150_000, "2.1 MB")])
def test_sizes_are_said_in_decimal_units(octets: int, words: str) -> None:
    assert size_words(octets) == words
