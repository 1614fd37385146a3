"""Beam's file systems: the options with which they are opened, and the first contact with S3."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from apache_beam.io.filesystems import FileSystems
from apache_beam.options.value_provider import RuntimeValueProvider


def options() -> Any:
    """Return the pipeline options with which Beam opens files. Relies on `io/filesystems.py`."""
    return FileSystems._pipeline_options or RuntimeValueProvider.runtime_options or {}


def use(some: Any) -> None:
    """Let Beam open files with these pipeline options."""
    FileSystems.set_options(some)


@contextmanager
def keeping_options() -> Iterator[None]:
    """Restore the options at the end of this block: each new pipeline replaces them."""
    before = FileSystems._pipeline_options
    try:
        yield
    finally:
        FileSystems.set_options(before)


def ask_s3(bucket: str) -> None:
    """Ask for an S3 bucket once, without Beam's retries, which take ten minutes.

    Relies on `io/aws/clients/s3/boto3_client.py`.

    Raises
    ------
    Exception
        If there are no credentials, or the server does not answer.
    """
    found = options()
    known = found if isinstance(found, dict) else found.get_all_options(drop_default=True)
    _ask(bucket, tuple(sorted((k, str(v)) for k, v in known.items() if k.startswith("s3_"))))


@functools.lru_cache(maxsize=64)
def _ask(bucket: str, known: tuple[tuple[str, str], ...]) -> None:
    from apache_beam.io.aws.clients.s3.boto3_client import Client, get_http_error_code

    try:
        Client(options()).client.head_bucket(Bucket=bucket)
    except Exception as error:
        code = get_http_error_code(error)
        if code is None:  # no answer of the server
            raise
        if code == 404:
            raise FileNotFoundError(f"the bucket {bucket!r} does not exist") from error
        # Without permission to ask for the bucket, its files may still be readable.
