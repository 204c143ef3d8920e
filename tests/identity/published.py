"""Vectors as the RFCs print them, with what is wrong in them."""

# RFC 9118 §5: SPC "1234", valid from 2021-07-15 to 2022-07-15, issued by a root that is not printed.
RFC_9118_CERTIFICATE = b"""-----BEGIN CERTIFICATE-----
MIICpzCCAk2gAwIBAgIUH7Zd3rQ5AsvOlzLnzUHhrVhDSlswCgYIKoZIzj0EAwIw
KTELMAkGA1UEBhMCVVMxGjAYBgNVBAMMEUJPR1VTIFNIQUtFTiBST09UMB4XDTIx
MDcxNTIxNTIxNVoXDTIyMDcxNTIxNTIxNVowbDELMAkGA1UEBhMCVVMxCzAJBgNV
BAgMAlZBMRAwDgYDVQQHDAdIZXJuZG9uMR4wHAYDVQQKDBVCb2d1cyBFeGFtcGxl
IFRlbGVjb20xDTALBgNVBAsMBFZvSVAxDzANBgNVBAMMBlNIQUtFTjBZMBMGByqG
SM49AgEGCCqGSM49AwEHA0IABNR6C6nBWRA/fXTglV03aXkXy8hx9oBttVLhsTZ1
IYVRBao4OZhVf/Xv1a3xLsZ6KfdhuylSeAKuCoSbVGojYDGjggEOMIIBCjAMBgNV
HRMBAf8EAjAAMA4GA1UdDwEB/wQEAwIHgDAdBgNVHQ4EFgQUDlG3dxHyzKL/FZfS
PI7rpuueRbswHwYDVR0jBBgwFoAUlToKtrQeFrwwyXpMj1qu3TQEeoEwQgYJYIZI
AYb4QgENBDUWM1RoaXMgY2VydGlmaWNhdGUgY2Fubm90IGJlIHRydXN0ZWQgZm9y
IGFueSBwdXJwb3NlLjAWBggrBgEFBQcBGgQKMAigBhYEMTIzNDBOBggrBgEFBQcB
IQRCMECgDjAMFgpjb25maWRlbmNloSAwHjAcFgpjb25maWRlbmNlMA4MBGhpZ2gM
Bm1lZGl1baIMMAoWCHByaW9yaXR5MAoGCCqGSM49BAMCA0gAMEUCIQCbNR4QK1um
+0vq2CE1B1/W3avYeREsPi/7RKHffL+5eQIgarHot+X9Rl7SOyNBq5X5JyEMx0SQ
hRLkCY3Zoz2OCNQ=
-----END CERTIFICATE-----
"""

# RFC 8225 A.1 and A.2: each is sound, but they are not a pair.
RFC_8225_PRIVATE_KEY = b"""-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgi7q2TZvN9VDFg8Vy
qCP06bETrR2v8MRvr89rn4i+UAahRANCAAQWfaj1HUETpoNCrOtp9KA8o0V79IuW
ARKt9C1cFPkyd3FBP4SeiNZxQhDrD0tdBHls3/wFe8++K2FrPyQF9vuh
-----END PRIVATE KEY-----
"""
RFC_8225_PUBLIC_KEY = b"""-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE8HNbQd/TmvCKwPKHkMF9fScavGeH
78YTU8qLS8I5HLHSSmlATLcslQMhNC/OhlWBYC626nIlo7XeebYS7Sb37g==
-----END PUBLIC KEY-----
"""

_BASE_HEADER = (
    b"eyJhbGciOiJFUzI1NiIsInR5cCI6InBhc3Nwb3J0IiwieDV1IjoiaHR0cHM6Ly9jZXJ0LmV4YW1wbGUub3JnL3Bhc3Nwb3J0LmNlciJ9"
)
# RFC 8225 §7.1: verifies with A.2, but its iat is a string.
RFC_8225_SECTION_7 = (
    _BASE_HEADER + b".eyJkZXN0Ijp7InVyaSI6WyJzaXA6YWxpY2VAZXhhbXBsZS5jb20iXX0sImlhdCI6IjE0NDMyMDgzNDUiLCJvcmlnIjp7"
    b"InRuIjoiMTIxNTU1NTEyMTIifX0.rq3pjT1hoRwakEGjHCnWSwUnshd0-zJ6F1VOgFWSjHBr8Qjpjlk-cpFYpFYsojNCpTzO3QfPOlckGaS6hEck"
    b"7w"
)
# RFC 8225 Appendix A: verifies with neither printed key; serves for its serialisation.
APPENDIX_A_SIGNING_INPUT = (
    _BASE_HEADER + b".eyJkZXN0Ijp7InVyaSI6WyJzaXA6YWxpY2VAZXhhbXBsZS5jb20iXX0sImlhdCI6MTQ3MTM3NTQxOCwib3JpZyI6eyJ0biI6"
    b"IjEyMTU1NTUxMjEyIn19"
)
RFC_8225_APPENDIX_A = (
    APPENDIX_A_SIGNING_INPUT
    + b".VLBCIVDCaeK6M4hLJb6SHQvacAQVvoiiEOWQ_iUkqk79UD81fHQ0E1b3_GluIkba7UWYRM47ZbNFdOJquE35cw"
)
# Appendix A's input signed with A.1 as RFC 6979 says.
T0 = (
    APPENDIX_A_SIGNING_INPUT
    + b".2c_SAul3BxIuvMR3G8VfbFwj6ZoOHBQF-qVaR-Mef0V2ipEhTe0ZYBaLrnhuSRVNwy1Tu-tr334XUBdnPYi3tA"
)
# A msg PASSporT over a CPIM body, signed with A.1 as RFC 6979 says.
T1_BODY = (
    b"From: <tel:+12155551212>\r\nTo: <tel:+12125551213>\r\nDateTime: 2016-08-16T19:23:38Z\r\n\r\n"
    b"Content-Type: text/plain; charset=utf-8\r\n\r\nWatson, come here."
)
T1_DIGESTS = {
    "sha256": "gIVIeHzyKA9gTnnBMx8xs3pu6O77cMZhd/RWiGYzKug=",
    "sha384": "FnAbEJvX40kwr4ZDCO+cEdV5P6hCEXLkE/A00NS/w79MtGZom4cDJu27p4fqxhiJ",
    "sha512": "3HhFv49IQnqGcFvowOSzAR+z66Wik4E3xuaXP5q/AEriuDOk+B0ednqAs/Uov3sDrz/A4Y/yMd2zC87qaGo8Mg==",
}
T1 = (
    b"eyJhbGciOiJFUzI1NiIsInBwdCI6Im1zZyIsInR5cCI6InBhc3Nwb3J0IiwieDV1IjoiaHR0cHM6Ly9jZXJ0LmV4YW1wbGUub3JnL3Bhc3Nwb3J0"
    b"LmNlciJ9.eyJkZXN0Ijp7InRuIjpbIjEyMTI1NTUxMjEzIl19LCJpYXQiOjE0NzEzNzU0MTgsIm1zZ2kiOiJzaGEyNTYtZ0lWSWVIenlLQTlnVG5u"
    b"Qk14OHhzM3B1Nk83N2NNWmhkL1JXaUdZekt1Zz0iLCJvcmlnIjp7InRuIjoiMTIxNTU1NTEyMTIifX0.aEb5R62Srf412jcLGTXidGBlLJcZwdID"
    b"dVYw0MVAEqZWrk2SwLypvOQZCqwbMNIWGLILxVKlwkyN5nPwcjQQBQ"
)
# RFC 9475 §3.2: 42 octets, the length of no digest.
RFC_9475_MSGI = "sha256-H8BRh8j48O9oYatfu5AZzq6A9RINQZngK7T62em8MUt1FLm52t+eX6xO"
# RFC 9795 §6.1.3: the digest of this JSON, printed without padding.
RFC_9795_JCD = (
    b'["vcard",[["version",{},"text","4.0"],["fn",{},"text","Q Branch"],["org",{},"text","MI6;Q Branch Spy Gadgets"],'
    b'["photo",{},"uri","https://example.com/photos/quartermaster-256x256.png"],'
    b'["logo",{},"uri","https://example.com/logos/mi6-256x256.jpg"],'
    b'["logo",{},"uri","https://example.com/logos/mi6-64x64.jpg"]]]'
)
RFC_9795_RCDI = "sha256-7kdCBZqH0nqMSPsmABvsKlHPhZEStgjojhdSJGRr3rk"
