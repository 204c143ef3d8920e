"""Runs acme2certifier's own WSGI application on one port of the loopback address; in its virtualenv, not in ours.

Of RFC 9448 it has one thing otherwise, which is put right here: it compares an order's identifier, base64url without
padding (§3), with the extensions of a request and of a certificate in padded base64, so that no number's would match.
"""

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from wsgiref.simple_server import make_server

import acme2certifier
from acme2certifier.acme_srv import certificate


def as_identifiers(extensions_get: Callable[..., list[str]]) -> Callable[..., list[str]]:
    def get(*args: object, **more: object) -> list[str]:
        found = extensions_get(*args, **more)
        return [value.rstrip("=").replace("+", "-").replace("/", "_") for value in found]

    return get


certificate.csr_extensions_get = as_identifiers(certificate.csr_extensions_get)
certificate.cert_extensions_get = as_identifiers(certificate.cert_extensions_get)

script = Path(acme2certifier.__file__).parent / "share" / "acme2certifier_wsgi.py"
spec = importlib.util.spec_from_file_location("acme2certifier_wsgi", script)
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
make_server("127.0.0.1", int(sys.argv[1]), module.application, handler_class=module.get_handler_cls()).serve_forever()
