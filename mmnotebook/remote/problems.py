"""The error for a remote file: the address as the user wrote it, the cause, and the remedy."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator

from mmnotebook.errors import RunError, one_line
from mmnotebook.remote import addresses

_INSTALL = {
    "s3": 'pip install "apache-beam[aws]", or s3fs',
    "gs": 'pip install "apache-beam[gcp]", or gcsfs',
    "azfs": 'pip install "apache-beam[azure]"',
    "abfs": "pip install adlfs",
    "az": "pip install adlfs",
    "hdfs": "pip install hdfs",
    "http": "pip install aiohttp",
    "https": "pip install aiohttp",
    "sftp": "pip install paramiko",
    "hf": "pip install huggingface_hub",
}
_CREDENTIALS = {
    "s3": "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, run `aws configure`, or pass "
    'options={"s3_access_key_id": ..., "s3_secret_access_key": ...} to mm.run',
    "gs": "run `gcloud auth application-default login`, or set GOOGLE_APPLICATION_CREDENTIALS",
}
_OPTIONS = {
    "hdfs": 'mm.run(..., options={"hdfs_host": ..., "hdfs_port": ..., "hdfs_user": ...})',
}
_CAUSES: tuple[tuple[str, str, str], ...] = (
    (
        r"Unable to locate credentials|NoCredentials|DefaultCredentials|Anonymous caller|\b401\b"
        r"|Unauthorized|ExpiredToken|InvalidAccessKeyId|SignatureDoesNotMatch",
        "there are no credentials for it, or they are not valid",
        "credentials",
    ),
    (r"\b403\b|AccessDenied|Access Denied|Forbidden|Permission", "you have no permission", "ask"),
    (
        r"NoSuchBucket|NoSuchKey|\b404\b|Not ?Found|[Nn]o such file|does not exist",
        "it does not exist",
        "look",
    ),
    (
        r"[Cc]ould not connect|[Cc]onnection|timed? ?out|[Nn]ame or service not known|getaddrinfo",
        "the server does not answer",
        "server",
    ),
    (r"hdfs_\w+ is not set|not specified|is required", "the file system needs options", "options"),
)


class RemoteFileError(RunError, OSError):
    """Raised if a remote file cannot be read or written.

    Attributes
    ----------
    address
        The address, as the user wrote it.
    why
        The cause, in one line.
    """

    def __init__(self, what: str, address: str, why: str, *, remedy: str | None) -> None:
        super().__init__(f"cannot {what} {address!r}: {why}", remedy=remedy)
        self.address, self.why = address, why


def failed(what: str, address: str, error: BaseException) -> RemoteFileError:
    """Return the error for an operation, "read" or "write", that has failed."""
    if isinstance(error, RemoteFileError):
        return error
    if any(isinstance(one, ImportError) for one in _causes(error)):
        return unknown(address, what, error)
    text = " ".join(one_line(one) for one in _causes(error))
    missing = any(isinstance(one, FileNotFoundError) for one in _causes(error))
    for pattern, why, kind in _CAUSES:
        if re.search(pattern, text) or (missing and kind == "look"):
            return RemoteFileError(what, address, why, remedy=_remedy(kind, address))
    last = list(_causes(error))[-1]
    return RemoteFileError(what, address, one_line(last), remedy=_remedy("server", address))


def unknown(address: str, what: str, error: BaseException | None) -> RemoteFileError:
    """Return the error for an address whose file system is not installed, or does not exist."""
    scheme = addresses.scheme(address)
    install = _INSTALL.get(scheme)
    if install is None and error is None:
        why = f"no file system is known for {scheme}://"
        remedy = "use s3://, gs://, hdfs://, or another scheme of Beam or fsspec"
        return RemoteFileError(what, address, why, remedy=remedy)
    why = f"the package for {scheme}:// is not installed"
    return RemoteFileError(what, address, why, remedy=install or one_line(error or OSError()))


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error, the errors inside a BeamIOError, and the causes of these errors."""
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        details = getattr(seen, "exception_details", None)
        inside = list(details.values()) if isinstance(details, dict) else []
        seen = next((one for one in inside if isinstance(one, BaseException)), seen.__cause__)


def _remedy(kind: str, address: str) -> str:
    scheme = addresses.scheme(address)
    if kind == "credentials":
        return _CREDENTIALS.get(scheme, f"set the credentials that {scheme}:// needs")
    if kind == "ask":
        return "use credentials that may read and write there, or another address"
    if kind == "look":
        return "check the bucket and the name; names are case-sensitive"
    if kind == "options":
        return _OPTIONS.get(scheme, f"pass the options of {scheme}:// as mm.run(..., options=...)")
    return "check the address, the network, and the endpoint in options= or AWS_ENDPOINT_URL"


def is_missing(error: BaseException) -> bool:
    """Return whether an error says that a file does not exist."""
    return any(
        isinstance(one, FileNotFoundError) or getattr(one, "errno", None) == errno.ENOENT
        for one in _causes(error)
    )
