"""A box's password as a password file of Mosquitto has it.

It is made where the password is known, at the bench, and kept in the register: from the SHA-256
that the station's own broker goes by nobody could make it afterwards.
"""

import base64
import hashlib
import re
import secrets

_ITERATIONS = 101
"""As mosquitto_passwd has it; a box's password is 256 random bits and needs none."""
_SALT_BYTES = 12
_BASE64 = "[A-Za-z0-9+/]"

CHARS = 112
PATTERN = rf"^\$7\${_ITERATIONS}\${_BASE64}{{16}}\${_BASE64}{{86}}==$"
"""Of all that `hashed` makes. A line that Mosquitto cannot read would lock every box out."""


def hashed(password: str) -> str:
    """PBKDF2 with HMAC-SHA512, salted: never twice the same."""
    salt = secrets.token_bytes(_SALT_BYTES)
    key = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, _ITERATIONS)
    salt64, key64 = (base64.b64encode(part).decode() for part in (salt, key))
    return f"$7${_ITERATIONS}${salt64}${key64}"


def checked(line: str | None) -> str | None:
    """What comes from elsewhere; None is none. ValueError when it is no such hash."""
    if line is not None and not re.fullmatch(PATTERN, line):
        raise ValueError("no password of Mosquitto")
    return line
