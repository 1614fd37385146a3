"""Credentials in pipeline options: they are never shown or stored."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

HIDDEN = "***"
"""What is shown in place of a credential."""
_SECRET = (
    r"secret|passw|passphrase|token|credential|connection_?string|"
    r"(?:access|private|api|account)_?key"
)
_NAME = re.compile(_SECRET, re.IGNORECASE)
_IN_URL = re.compile(r"(?<=://)[^/@\s]+(?=@)")
# A setting inside the text of an option: NAME=value, or "name": "value" in JSON.
_IN_TEXT = re.compile(
    rf"""(?P<start>[\w.-]*(?:{_SECRET})[\w.-]*["']?\s*[=:]\s*)(?P<value>"[^"]*"|'[^']*'|[^\s,;&]+)""",
    re.IGNORECASE,
)


def is_credential(name: str) -> bool:
    """Return whether the pipeline option with this name holds a credential.

    >>> is_credential("s3_secret_access_key"), is_credential("s3_region_name")
    (True, False)
    """
    return bool(_NAME.search(name))


def hidden(value: Any) -> Any:
    """Return a value with the credentials inside its text replaced by `***`.

    >>> hidden("https://me:pass@host/path")
    'https://***@host/path'
    >>> hidden(["AWS_SECRET_KEY=abc", "x=1"])
    ['AWS_SECRET_KEY=***', 'x=1']
    """
    if isinstance(value, str):
        return _IN_TEXT.sub(rf"\g<start>{HIDDEN}", _IN_URL.sub(HIDDEN, value))
    if isinstance(value, (list, tuple)):
        return [hidden(one) for one in value]
    if isinstance(value, Mapping):
        return shown(value)
    return value


def shown(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return options as they can be shown, logged and stored: without the values of credentials.

    >>> shown({"s3_secret_access_key": "abc", "parallelism": 2})
    {'s3_secret_access_key': '***', 'parallelism': 2}
    """
    return {
        name: HIDDEN if is_credential(str(name)) and value is not None else hidden(value)
        for name, value in options.items()
    }


def has_any(value: Any) -> bool:
    """Return whether a value contains a credential."""
    return bool(hidden(value) != value)
