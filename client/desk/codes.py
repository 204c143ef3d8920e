"""The stable words by which programs tell failures apart, and what to do about each; `ringtrue schema` prints them.

A code keeps its meaning for ever. Other words may come from a service of a later version (their `detail` says what
happened) and from the MLS engine, whose errors leave the account as it was.
"""

import inspect

from client import errors
from client.credentials.acme import TERMS_HINT
from client.credentials.acme_order import CHALLENGE_HINT, StillProcessingError
from client.credentials.acme_problems import HINTS
from client.defence.lies import FORKED_HINT
from client.errors import ClientError, ServiceError
from client.failures import SYSTEM_HINT
from delivery_service.wire import PROBLEMS as DELIVERY_PROBLEMS
from identity.authority.wire import PROBLEMS as AUTHORITY_PROBLEMS

_NUMBER = "Write the number with its country code: +1 202 555 0142."
_SENDER = errors.ContentError.hint
_RULE = errors.GroupRefusedError.hint
_LIST = "See what there is: ringtrue history CHAT"
_FILE = "Choose another file, or another folder."

_WORDS = {
    # What was asked
    "malformed-request": "See what can be asked and how: ringtrue schema",
    "unknown-call": "See what can be asked and how: ringtrue schema",
    "wrong-arguments": "See what the call takes: ringtrue schema",
    "line-too-long": "Send less in one request; the connection was closed.",
    "digits": _NUMBER,
    "too-long": _NUMBER,
    "unreadable": _NUMBER,
    "impossible": _NUMBER,
    "not-text": "Write it again; what a terminal passes on is to be UTF-8.",
    "own-number": "Give the number of somebody else.",
    "not-an-invitation": _NUMBER,
    "address": "Write the address of a service: https://HOST or http://127.0.0.1:PORT.",
    "config": "Mend the line of the settings that the message names.",
    "duration": "Write for example 30s, 5m, 8h, 1d, 2w or off.",
    # The daemon and this device
    "account": "Do what the message says, then try again; ringtrue doctor looks at the account.",
    "cannot-listen": "Choose another with --host and --port; --port 0 takes any free one.",
    "no-daemon": "Start it: ringtrue daemon",
    "daemon-gone": "Start it again (ringtrue daemon), or run the command again without it.",
    "daemon-runs": "Every command uses the running daemon by itself; nothing is to be done.",
    "daemon-differs": "Stop the daemon and start it again: it runs another version.",
    "too-slow": "Start again: nothing is lost, and what happened in between is in the history.",
    "too-many-clients": "Close a program that uses this account, then try again.",
    "wrong-user": "Use the account as the user whose folder it is.",
    "path-too-long": "Move the account's folder to a shorter path and name it in RINGTRUE_HOME.",
    "code-needed": "Run the same command again with --code-file FILE (or --code CODE).",
    "no-anchors": "Give a trust list with --anchors FILE.",
    "no-token": "Give an exported message or report, a PASSporT, or a SIP Identity header field.",
    "not-confirmed": "Report it with the proof of its number, where it has one.",
    "franking-key": "See what the service shows: ringtrue franking list",
    "system": SYSTEM_HINT,
    "incognito": "End incognito first: /incognito",
    "terms": TERMS_HINT,
    "unsupported-challenge": CHALLENGE_HINT,
    "still-processing": StillProcessingError.hint,
    # Chats, messages and people
    "unknown-message": _LIST,
    "no-message": _LIST,
    "unknown-member": "See who is in the chat: ringtrue members CHAT",
    "unknown-request": "See who asks: ringtrue requests",
    "unknown-mode": "Choose open, ask or contacts.",
    "mode-changed": "If no other device of yours has chosen that, choose again: ringtrue reachable",
    "no-consent": "Ask them first: ringtrue ask NUMBER",
    "already-asked": "Wait until they agree; this program tells you.",
    "not-held-back": _LIST,
    "rules-not-agreed": "Answer the question, or add --yes.",
    "rules-hide-own": 'Put a rule with relation = ["self"] and place = "inbox" before it.',
    "forked": FORKED_HINT,
    "not-accepted": "Accept the request first: ringtrue requests accept NUMBER",
    "already-member": "Nothing is to be done.",
    "already-members": "Nothing is to be done.",
    "not-a-member": "Ask a member to add you.",
    "no-device": "Ask them to enrol, then try again.",
    "empty-name": "Give the chat a name with at least one letter or digit.",
    "unchanged": "Nothing is to be done.",
    "leaving": "Wait until another member's program has completed it.",
    "not-own": "Only your own messages can be changed.",
    "not-editable": "Send a new message instead.",
    "not-now": "Wait until the message was delivered, then try again.",
    "not-failed": "Nothing is to be done.",
    "no-roles": "Everybody in this chat may change who is in it.",
    "not-an-admin": "Ask an admin of the chat.",
    "last-admin": "Make somebody else an admin first.",
    "roles-fixed": "Create a new chat with the roles that you want.",
    "timer": "Give a time from one second to a year, or off.",
    "no-proof": "Only messages of others and those that were sent carry a proof.",
    "malformed-proof": "Have the message exported again: ringtrue export MESSAGE",
    # Reports
    "report-refused": errors.ReportRefusedError.hint,
    "already-revoked": "Nothing is to be done.",
    "reason-refused": "Give one of the reasons that the message names.",
    "revoked": "Ask that person whether the number is still theirs; they enrol again with a new code.",
    "reason-false": "The device stays a member here; see what the service proposed: ringtrue alarms",
    "report-size": "Choose fewer messages: one is enough.",
    "report-changed": "Look at what would be sent now, and report it again.",
    "report-kind": "Choose spam, scam, abuse or other.",
    "note-too-long": "Write a shorter note.",
    "own-message": "Choose a message of somebody else.",
    "several-senders": "Report each number by itself.",
    "number-withdrawn": errors.NumberWithdrawnError.hint,
    "nothing-to-appeal": "Nothing is to be done.",
    "appealed": "Wait for the operator; the status ends by itself in any case.",
    # Attachments
    "attachment-hash": "Ask the sender to send the file again.",
    "attachment-key": "Ask the sender to send the file again.",
    "attachment-size": "Ask the sender to send the file again.",
    "attachment-too-large": "Send a smaller file.",
    "attachment-unsupported": "Ask the sender to send the file with a newer program.",
    "attachment-old": "Ask the sender to send it again.",
    "attachment-not-shown": "Save it, and open it with another program.",
    "blob-altered": "Try again; if it goes on, tell the operator of the delivery service.",
    "transfer-cancelled": "Send it again if it is still wanted.",
    "transfer-too-old": "Send it again if it is still wanted.",
    "unknown-transfer": "See what is on its way: ringtrue transfers",
    "foreign-attachment": "It lies at a service that this account does not use; ask for it in another way.",
    "not-a-file": _FILE,
    "no-attachment": _LIST,
    "cannot-read": _FILE,
    "cannot-save": _FILE,
    "image": _FILE,
    "image-too-large": _FILE,
    # What peers and services sent
    "too-large": "Send less at once.",
    "malformed-cbor": _SENDER,
    "media-type": _SENDER,
    "uri": _SENDER,
    "encrypted-handshake": _RULE,
    "key-package": "Ask the other person to start their program, then try again.",
    "new-key": "Ask them by another way, then do it again with new keys allowed.",
    "unknown-key": "See the keys of a number: ringtrue keys list NUMBER",
    "alarm": "See what was seen, and what to do: ringtrue alarms",
    "unknown-alarm": "See what there is: ringtrue alarms",
    "not-a-certificate": "Read what the alarm says to do, then put it away without --mine.",
    "inviter-refused": "Ask whoever adds you to run their program once, which renews the certificate, and try again.",
    "committer-expired": "Nothing is to be done: the member's device renews its certificate and commits again.",
    "member-expired": "A member's certificate has ended; it renews when their program comes online.",
    "not-from-a-member": _RULE,
    "proposal": _RULE,
    "unknown-key-package": "Ask to be added again.",
    "wrong-group": _RULE,
    # Devices
    "link-code": "Look at the code on the other device and type it again.",
    "link-unknown": "Compare the code and the authority's address with the other device, or show a new code there.",
    "link-box": "Begin again with a new code: ringtrue devices add",
    "link-size": "Begin again: ringtrue devices add",
    "link-version": "Update Ringtrue on both devices, then begin again.",
    "link-ended": "Begin again with a new code: ringtrue devices add",
    "link-expired": "Begin again, and be done within ten minutes: ringtrue devices add",
    "link-cancelled": "To begin again: ringtrue devices add",
    "link-refused": "To begin again with a new code: ringtrue devices add",
    "link-declined": "To begin again with a new code: ringtrue devices add",
    "link-unfinished": "Look at the new device; it comes into your chats by itself when it is ready.",
    "linking": "Cancel it, or wait until it ends.",
    "not-linking": "Begin: ringtrue devices add",
    "this-device": "Remove it on another device of yours.",
    "unknown-device": "See your devices: ringtrue devices",
    "device-not-agreed": "Answer the question, or add --yes.",
    # Trust
    "unknown-anchor": "See what there is: ringtrue trust list",
    "unknown-pin": "See what there is: ringtrue trust list",
    "unknown-log": "Name a log first: ringtrue trust log NAME FILE",
    "fingerprint": "Write the beginning of a fingerprint: six hexadecimal digits or more.",
    "last-anchor": "Import another root first, or remove it all the same with --last.",
    "trust-not-agreed": "Answer the question, or add --yes.",
    "not-an-issuer": "Give a PEM file with the issuer's certificate, and those between it and the root behind it.",
    "not-a-root": "Import the root that issued it; to believe this issuer alone below it: ringtrue trust pin FILE",
    "no-ca": "Ask for the root's certificate.",
    "expired": "Ask for the present root.",
    "too-many": "Remove what is not needed: ringtrue trust list",
    # How a command ended
    "refused": "Try again: ringtrue retry MESSAGE",
    "not-sent": "It goes out with the next command, or by itself while a daemon runs.",
    "timed-out": "Wait longer with --timeout, or without one.",
}


def advice() -> dict[str, str]:
    """Every code, with what to do."""
    services = dict.fromkeys((*AUTHORITY_PROBLEMS, *DELIVERY_PROBLEMS), ServiceError.hint)
    kinds = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, ClientError)]
    return dict(sorted((services | HINTS | {kind.code: kind.hint for kind in kinds if kind.hint} | _WORDS).items()))
