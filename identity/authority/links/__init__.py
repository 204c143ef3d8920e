"""Where two devices of one number meet before the second one has any certificate: sealed boxes, passed on once."""
