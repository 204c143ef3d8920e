"""Draws one MessageView as one Content.

What this program says begins in the second column, what others say in the fourth: no text of others can begin a row
that looks like a verdict, and nothing that is meant to be believed stands to the right of their text. The first column
is for the cursor; the bar at the left edge, in the state's colour, is the widget's border (client.tui.message_row).
"""

from collections.abc import Iterator
from datetime import datetime

from rich.cells import cell_len, set_cell_size
from textual.content import Content

from client.defence.new_keys import KEY_WORDS
from client.desk.views import AttachmentView, MessageView, ProofView, QuoteView, ReactionView
from client.tui.chat_lines import spelled
from client.tui.message_body import Looker, Piece, body, right_to_left, shortened

OURS, THEIRS = 1, 3  # the columns in which rows begin
QUOTE_CELLS_AT_LEAST = 16
EMOJI_CELLS_LIMIT = 12
EMOJI_WORDS_LIMIT = 24  # cells, where emoji are put into words
NAMED_IN_A_REACTION = 3
_NEARLY = 0.99  # of a unit counts as one
_QUIET = "$text-muted"

_STATES = {
    "queued": "waiting to send",
    "sending": "sending",
    "accepted": "sent (accepted by the service)",
    "delivered": "delivered",
    "elsewhere": "sent from another device",
}
_PROVEN = ("verified", "delayed")
_DOUBTFUL = ("stale", "carrier", "unsigned", "undecided")
_TONE_STYLES = {"proven": _QUIET, "doubtful": "bold $text-warning", "failed": "bold $text-error"}


def is_changeable(message: MessageView) -> bool:
    """Whether its words can be written anew or taken back from here."""
    return message.kind == "sent" and not message.withdrawn


def tone(message: MessageView) -> str:
    """The state that the bar's colour repeats: proven, doubtful, failed, own or quiet."""
    if message.own:
        return "failed" if message.state == "failed" else "own"
    if message.kind == "gap":
        return "doubtful"
    return "quiet" if message.proof is None else _proof_tone(message.proof)


def draw(message: MessageView, looker: Looker, width: int, *, whole: bool = False, selected: bool = False) -> Content:
    """The message in rows of at most `width` cells; `whole`: however long it is."""
    width = max(width, THEIRS + 2)
    rows: list[Content] = []
    for column, words in _rows(message, looker, width, whole):
        rows += _wrapped(words, column, width)
    if selected and rows:
        rows[0] = Content.assemble(("►", "bold $text-accent"), rows[0][1:])
    return Content("\n").join(rows)


def clock(moment: datetime) -> str:
    """A time of day in this computer's time zone."""
    return f"{moment.astimezone():%H:%M}"


def size_words(octets: int) -> str:
    """How large a file is: 640 bytes, 34 kB, 2.1 MB."""
    if octets < 1000:
        return f"{octets} bytes"
    if octets < 1_000_000:
        return f"{octets // 1000} kB"
    return f"{octets / 1_000_000:.1f} MB"


def length_words(seconds: float) -> str:
    """A length of time, rounded to one unit: 45 s, 12 min, 1 h, 3 d."""
    for unit, words in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= unit * _NEARLY:
            return f"{round(seconds / unit)} {words}"
    return f"{max(1, round(seconds))} s"


def _rows(message: MessageView, looker: Looker, width: int, whole: bool) -> Iterator[tuple[int, Content]]:
    if message.kind in ("notice", "gap"):
        yield from _happening(message)
        return
    for row in _header(message, looker, width - OURS):
        yield OURS, row
    if message.place != "inbox":
        yield OURS, Content(f"⊘ Held back: {message.why}. F3 shows it.")
        return
    yield from _proof_rows(message.proof)
    if message.reply is not None:
        yield from _quoted(message.reply, looker, width)
    yield from _said(message, looker, whole)
    if message.attachment is not None:
        yield from _attached(message.attachment)
    yield from _remarks(message, looker)


def _happening(message: MessageView) -> Iterator[tuple[int, Content]]:
    if message.kind == "gap":
        yield OURS, _joined(("⚠ COULD NOT BE READ", "bold $text-warning"), (clock(message.arrived), _QUIET))
        yield THEIRS, Content(message.text)
    else:
        yield OURS, _joined((clock(message.arrived), _QUIET), (message.text, _QUIET))


def _header(message: MessageView, looker: Looker, width: int) -> list[Content]:
    """Who and when in one row; in two where there is not the room, for a time alone in a row is easily overlooked."""
    time = (clock(message.arrived), _QUIET)
    notes = ("edited" if message.edited and not message.withdrawn else "", "reported" if message.reported else "")
    edited = (", ".join(filter(None, notes)), _QUIET)
    if message.own:
        return [_joined(("you", "bold"), time, edited, _own_state(message, looker))]
    proof = message.proof
    label = ("? NO PROOF", "bold $text-warning") if proof is None else (proof.label, _TONE_STYLES[_proof_tone(proof)])
    if message.withdrawn:
        label = ("", "")  # there are no words left that could be proved
    number = spelled(message.sender) if message.sender else "a number that is not known"
    name = f"{message.name} (your contact)" if message.name else ""
    key = (KEY_WORDS[message.key], "bold $text-warning") if message.key else ("", "")
    mentioned = ("mentions you", "bold $text-accent") if message.mentions_me else ("", "")
    in_one = _joined(label, (number, "bold"), (name, "bold"), key, time, edited, mentioned)
    if in_one.cell_length <= width or not (name or message.key):
        return [in_one]
    return [_joined(label, (number, "bold"), time), _joined((name, "bold"), key, edited, mentioned)]


def _own_state(message: MessageView, looker: Looker) -> Piece:
    if message.state == "failed":
        return "✗ NOT SENT", "bold $text-error"
    if message.state in ("queued", "sending") and not looker.online:
        return "waiting to send (offline)", "$text-warning"
    return _STATES.get(message.state or "", ""), _QUIET


def _proof_tone(proof: ProofView) -> str:
    if proof.verdict in _PROVEN:
        return "proven"
    return "doubtful" if proof.verdict in _DOUBTFUL else "failed"


def _proof_rows(proof: ProofView | None) -> Iterator[tuple[int, Content]]:
    """Why the proof is not in order, in a row of its own."""
    if proof is None or _proof_tone(proof) == "proven":
        return
    style = "$text-error" if _proof_tone(proof) == "failed" else "$text-warning"
    check = f"Check {proof.check.number} ({proof.check.name}): " if proof.check is not None else ""
    if check or proof.reason:
        yield OURS, Content.assemble((f"{check}{proof.reason}", style))


def _quoted(reply: QuoteView, looker: Looker, width: int) -> Iterator[tuple[int, Content]]:
    if reply.row is None and reply.sender is None:
        yield OURS, Content.assemble(("▸ answers a message that this device does not have", _QUIET))
        return
    sender = reply.sender or ""
    who = "you" if sender == looker.own else reply.name or spelled(sender)
    said = body(" ".join(reply.text.split()), looker, links=False).plain
    begun = f"▸ {who}: "
    room = width - OURS - cell_len(begun)
    if room < QUOTE_CELLS_AT_LEAST or right_to_left(said):
        yield OURS, Content.assemble((begun, _QUIET))
        yield THEIRS, Content.assemble((_cut(said, width - THEIRS), f"italic {_QUIET}"))
    else:
        yield OURS, Content.assemble((begun, _QUIET), (_cut(said, room), f"italic {_QUIET}"))


def _said(message: MessageView, looker: Looker, whole: bool) -> Iterator[tuple[int, Content]]:
    if message.withdrawn:
        yield (
            OURS,
            Content.assemble((f"Taken back by {'you' if message.own else 'whoever wrote it'}.", f"italic {_QUIET}")),
        )
        return
    text, left_out = (message.text, 0) if whole else shortened(message.text)
    if text:
        yield THEIRS, body(text, looker, links=True)
    if left_out:
        lines = "1 more line" if left_out == 1 else f"{left_out} more lines"
        yield OURS, Content.assemble((f"▸ {lines}: Space shows all", "$text-accent"))


def _attached(attachment: AttachmentView) -> Iterator[tuple[int, Content]]:
    kind = "a picture" if attachment.is_image else "a file"
    yield OURS, Content.assemble(f"▸ {kind}, {size_words(attachment.size)}, named")
    yield THEIRS, Content.assemble((attachment.filename or "(no name)", "bold"))
    yield THEIRS, Content.assemble((attachment.content_type, _QUIET))
    if attachment.saved is not None:
        yield THEIRS, Content.assemble(("saved at ", _QUIET), attachment.saved)
    else:
        yield THEIRS, Content.assemble(("o opens it when it is selected (Up); nothing is fetched before that", _QUIET))


def _remarks(message: MessageView, looker: Looker) -> Iterator[tuple[int, Content]]:
    if message.state == "failed":
        reason = message.reason or ""
        reason = f"{reason[:1].upper()}{reason[1:].rstrip('.')}. " if reason else ""
        yield OURS, Content.assemble((f"{reason}Press r to try again.", "$text-error"))
    if message.hidden:
        removed = "1 hidden character was" if message.hidden == 1 else f"{message.hidden} hidden characters were"
        yield OURS, Content.assemble((f"⚠ {removed} removed", "$text-warning"))
    if message.expires is not None:
        left = (message.expires - looker.now).total_seconds()
        yield OURS, Content.assemble((f"disappears in {length_words(left)}", _QUIET))
    if message.reactions:
        yield THEIRS, Content("   ").join(_reaction(each, looker) for each in message.reactions)


def _reaction(reaction: ReactionView, looker: Looker) -> Content:
    others = [number for number in reaction.numbers if number != looker.own]
    if len(others) <= NAMED_IN_A_REACTION:
        who = [looker.names.get(number) or spelled(number) for number in others]
    else:
        who = [f"{len(others)} people"]
    listed = ", ".join(["you"] * reaction.own + who)
    emoji = body(reaction.emoji, looker, links=False).plain
    cells = EMOJI_WORDS_LIMIT if looker.emoji_in_words else EMOJI_CELLS_LIMIT
    return Content.assemble((f"{listed} ", _QUIET), (_cut(emoji, cells), "bold" if reaction.own else ""))


def _joined(*pieces: Piece) -> Content:
    return Content("  ").join(Content.assemble(piece) for piece in pieces if piece[0])


def _wrapped(words: Content, column: int, width: int) -> list[Content]:
    indent = Content(" " * column)
    return [indent + row for row in words.wrap(width - column)]


def _cut(text: str, cells: int) -> str:
    return text if cell_len(text) <= cells else set_cell_size(text, cells - 1) + "~"
