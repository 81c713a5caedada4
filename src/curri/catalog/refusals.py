"""Why a connection cannot be made, as libpq says it, and the way out of each.

libpq gives no codes here, so its text is read: it is the driver's own, in English, and what it does not know gets the
usual hint. A text that begins with FATAL is the server's, and may be in another language.
"""

from __future__ import annotations

import re

USUAL = "check host, port, user, password and name in CURRI_DATABASE_URL"

_CA = (
    "name the CA that signed the server's certificate: &sslrootcert=FILE in the address, or sslrootcert=system for"
    " those that this machine trusts"
)
_FULL = "&sslmode=verify-full&sslrootcert=system in the address"
_HINTS = (
    (
        r"root certificate file .* does not exist|could not read root certificate file|SSL error: certificate verify",
        _CA,
    ),
    (
        r"server certificate for .* does not match|could not get server's host name|host name must be specified",
        "use the name in the certificate as HOST; sslmode=verify-ca in the address looks at the CA alone",
    ),
    (
        r"server does not support SSL",
        "switch TLS on there (ssl = on in postgresql.conf); sslmode=disable only where nobody can listen",
    ),
    (r"weak sslmode", f"the CAs that this machine trusts sign for anybody, so the name must be looked at: {_FULL}"),
    (r"invalid sslmode", "sslmode is one of disable, allow, prefer, require, verify-ca, verify-full"),
    (
        r"FATAL:\s+(too many connections|sorry, too many clients|remaining connection slots)",
        "wait until others have closed theirs, or raise the role's CONNECTION LIMIT or the server's max_connections",
    ),
    (
        r"FATAL:\s+no pg_hba\.conf entry",
        "pg_hba.conf on the server must admit this user from here; if it says `no encryption`, try sslmode=require",
    ),
    (
        r"FATAL:\s+unsupported startup parameter",
        "PgBouncer takes no `options`: choose the schema with ALTER ROLE ... SET search_path = NAME instead",
    ),
)


def explained(error: Exception) -> tuple[str, str]:
    """Return what libpq says of a failed connection, on one line, and a hint. It never says the password."""
    text = str(error).strip().removeprefix("connection failed: ").removeprefix("connection is bad: ")
    reason = re.sub(r"connection to server (at|on socket) .*? failed: ", "", text, count=1)
    hint = next((hint for pattern, hint in _HINTS if re.match(pattern, reason)), USUAL)
    return text.partition("\n")[0], hint
