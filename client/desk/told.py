"""What is told while an account is at work: rows, chats, requests and the status as they change."""

from client.desk.people_views import AskView, RequestView
from client.desk.views import ChatView, MessageView, StatusView, View


class MessageArrived(View, frozen=True, kw_only=True, tag_field="type", tag="message"):
    """A row was added to a conversation: of others, or one's own from any screen."""

    message: MessageView
    alert: bool


class MessageChanged(View, frozen=True, kw_only=True, tag_field="type", tag="message-changed"):
    """A row looks different now: delivered, edited, taken back, reacted to, saved, expired (then it is gone)."""

    message: MessageView
    gone: bool = False


class ChatChanged(View, frozen=True, kw_only=True, tag_field="type", tag="chat"):
    """A chat's line in the list is different now, or it is new."""

    chat: ChatView


class RequestArrived(View, frozen=True, kw_only=True, tag_field="type", tag="request"):
    """Somebody who is not a contact wants to talk."""

    request: RequestView


class AskAnswered(View, frozen=True, kw_only=True, tag_field="type", tag="ask-answered"):
    """A number that was asked has agreed, and can be written to now."""

    ask: AskView


class Quarantined(View, frozen=True, kw_only=True, tag_field="type", tag="quarantined"):
    """A message was held back; `message.why` says by which rule."""

    message: MessageView


class StatusChanged(View, frozen=True, kw_only=True, tag_field="type", tag="status"):
    """The account's status is different now."""

    status: StatusView


class TroubleTold(View, frozen=True, kw_only=True, tag_field="type", tag="trouble"):
    """Something could not be done now and will be tried again, or a person has to act: `hint` says how."""

    code: str
    words: str
    hint: str
    group: str | None


Told = (
    MessageArrived
    | MessageChanged
    | ChatChanged
    | RequestArrived
    | AskAnswered
    | Quarantined
    | StatusChanged
    | TroubleTold
)
