"""What to say of a passphrase while somebody chooses it: words instead of a number that nobody can know."""

SHORT, LONG = 8, 16  # characters
FEW = 4  # different characters


def strength(passphrase: str) -> str:
    """One sentence on how hard a passphrase is to guess; it refuses nothing but an empty one (`acceptable`)."""
    if not acceptable(passphrase):
        return "Four or more unrelated words are easy to keep in mind and hard to guess."
    if len(set(passphrase)) <= FEW:
        return "Weak: few different characters are tried first."
    if len(passphrase) < SHORT:
        return "Weak: so short that a computer tries them all."
    if passphrase.isdigit():
        return "Weak: digits alone, such as dates and numbers, are tried early."
    if len(passphrase) < LONG:
        return "Fair, if it is not used elsewhere. Longer is better: add a word or two."
    return "Good length. Nobody can reset it: write it down where only you look."


def acceptable(passphrase: str) -> bool:
    """Whether it may protect an account at all: it is not empty, nor only spaces."""
    return bool(passphrase.strip())
