"""The product's own chance, drawn from the seed: names, keys of requests, pauses. What MLS draws stays the system's."""

import gc
import random
import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from cryptography.hazmat.primitives.asymmetric import ec

from identity.base64url import encode_base64url
from lab.seams.seam import instead

_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # of P-256


@contextmanager
def drawing_from(seed: object) -> Iterator[None]:
    """Inside, `secrets` and `random` draw from a seed, P-256 keys too, and the collector of cycles waits."""
    draw, before = random.Random(f"chance {seed}"), random.getstate()  # noqa: S311 - replayable on purpose

    def token_bytes(size: int | None = None) -> bytes:
        return draw.randbytes(32 if size is None else size)

    def token_hex(size: int | None = None) -> str:
        return token_bytes(size).hex()

    def token_urlsafe(size: int | None = None) -> str:
        return encode_base64url(token_bytes(size)).decode()

    def new_key(curve: ec.EllipticCurve) -> ec.EllipticCurvePrivateKey:
        return ec.derive_private_key(draw.randrange(1, _ORDER), ec.SECP256R1())

    collecting = gc.isenabled()
    gc.disable()
    random.seed(f"pauses {seed}")
    try:
        with ExitStack() as stack:
            for name, value in (
                ("token_bytes", token_bytes),
                ("token_hex", token_hex),
                ("token_urlsafe", token_urlsafe),
                ("randbelow", draw.randrange),
            ):
                stack.enter_context(instead(secrets, name, value).exchanged())
            stack.enter_context(instead(ec, "generate_private_key", new_key).exchanged())
            yield
    finally:
        random.setstate(before)
        if collecting:
            gc.enable()
