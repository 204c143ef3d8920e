"""The issuer behind acme2certifier: its own OpenSSL-style one, which knows no TNAuthList, made to issue for devices."""

from acme2certifier.cahandlers.openssl_ca_handler import CAhandler as Issuer
from cryptography import x509

TN_AUTH_LIST = x509.ObjectIdentifier("1.3.6.1.5.5.7.1.26")
CLAIM_CONSTRAINTS = x509.ObjectIdentifier("1.3.6.1.5.5.7.1.33")
# RFC 9118: msgi is required, attest and origid are excluded.
MESSAGING_ONLY = bytes.fromhex("301ea008300616046d736769a2123010160661747465737416066f7269676964")


class CAhandler(Issuer):
    """Copies the TNAuthList that acme2certifier compared with the order, and limits the key to messages."""

    def _cert_extension_apply(self, builder, ca_cert, req):
        wanted = req.extensions.get_extension_for_oid(TN_AUTH_LIST).value.value
        usage = dict.fromkeys(
            (
                "content_commitment",
                "key_encipherment",
                "data_encipherment",
                "key_agreement",
                "key_cert_sign",
                "crl_sign",
                "encipher_only",
                "decipher_only",
            ),
            False,
        )
        extensions = (
            (x509.SubjectKeyIdentifier.from_public_key(req.public_key()), False),
            (x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_cert.public_key()), False),
            (x509.KeyUsage(digital_signature=True, **usage), True),
            (x509.UnrecognizedExtension(TN_AUTH_LIST, wanted), False),
            (x509.UnrecognizedExtension(CLAIM_CONSTRAINTS, MESSAGING_ONLY), False),
        )
        for value, critical in extensions:
            builder = builder.add_extension(value, critical=critical)
        return builder
