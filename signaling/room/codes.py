"""The codes of rooms, as in `abc-defg-hij`: short enough to type, too many to guess."""

import secrets

_LETTERS = "abcdefghjkmnpqrstuvwxyz"
"""Without i, l and o, which look like digits."""
_GROUPS = (3, 4, 3)


def new_code() -> str:
    """A code that nobody can foresee: ten of 23 letters, 45 bits."""
    return "-".join("".join(secrets.choice(_LETTERS) for _ in range(size)) for size in _GROUPS)
