"""Ask libsecsipid about one PASSporT, in a process of its own: `python libsecsipid.py TOKEN CHAIN_PEM ROOT_PEM AGE`.

Prints the library's return code, 0 if signature, age and path are good. The `secsipidx` command accepts an Identity
header for `ppt` "shaken" alone; the library's check of a token reads any.
"""

import ctypes
import sys

VALIDITY_AND_OUR_ROOT = 5  # CertVerify bits: 1 the time, 4 the CA file; issuers come with the certificate
TIMEOUT = 5  # seconds

library = ctypes.CDLL("libsecsipid.so.1")
token, chain, root = (text.encode() for text in sys.argv[1:4])
library.SecSIPIDOptSetS(b"CertCAFile", root)
library.SecSIPIDOptSetN(b"CertVerify", VALIDITY_AND_OUR_ROOT)
print(library.SecSIPIDCheck(token, 0, int(sys.argv[4]), chain, TIMEOUT))
