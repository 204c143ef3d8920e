"""The meeting place of two devices: what it takes and answers, and its limits.

A mailbox has two slots, one for each device's box. Whoever knows its name may use it, and both devices derive the name
from the code that a person carries from one to the other, so the boxes are sealed with a key that is derived likewise:
the service sees names that say nothing, and ciphertext. A box is octets (application/octet-stream).

    PUT    /v1/links/{mailbox}/{slot}           a box  -> 201   once in the mailbox's life
    POST   /v1/links/{mailbox}/{slot}?wait=N           -> 200   the box, which is forgotten with that
                                                          204   there is none yet, after N seconds
    DELETE /v1/links/{mailbox}                         -> 204   both boxes are forgotten, and the mailbox stays closed

`mailbox` is MAILBOX_DIGITS hexadecimal digits in lower case. A mailbox lives for MAILBOX_LIFETIME after its first box.
"""

BOX_TYPE = "application/octet-stream"
BOX_LIMIT = 64 * 1024  # octets
MAILBOX_DIGITS = 32
MAILBOX_LIFETIME = 600  # seconds
WAIT_LIMIT = 20  # seconds that a request for a box may wait
SLOTS = ("first", "new")  # whose box is in it: the device that has the number, or the one that is to get it
