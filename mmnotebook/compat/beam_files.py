"""Beam's file systems: the options with which they are opened, and the client of S3."""

from __future__ import annotations

# isort: off
from mmnotebook import quiet_beam as quiet_beam  # first: it imports Beam without its log output
# isort: on

import functools
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from apache_beam.io.filesystems import FileSystems
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.options.value_provider import RuntimeValueProvider


def options() -> Any:
    """Return the pipeline options with which Beam opens files. Relies on `io/filesystems.py`."""
    return FileSystems._pipeline_options or RuntimeValueProvider.runtime_options


def file_system(address: str) -> Any:
    """Return Beam's file system for an address; without a pipeline so far, with default options.

    Relies on `io/filesystems.py`.
    """
    if not options():
        use(PipelineOptions(flags=[]))
    return FileSystems.get_filesystem(address)


def use(some: Any) -> None:
    """Let Beam open files with these pipeline options. Relies on `io/filesystems.py`."""
    FileSystems.set_options(some)


@contextmanager
def keeping_options() -> Iterator[None]:
    """Restore the options at the end of this block: each new pipeline replaces them.

    Relies on `io/filesystems.py`.
    """
    before = FileSystems._pipeline_options
    try:
        yield
    finally:
        FileSystems.set_options(before)


def s3_client() -> Any:
    """Return boto3's client of Beam's S3 file system, with the current options.

    A client is used for five minutes, because creating it takes longer than most requests.

    Relies on `io/aws/clients/s3/boto3_client.py`.
    """
    if not options():
        use(PipelineOptions(flags=[]))
    found = options()
    known = found if isinstance(found, dict) else found.get_all_options(drop_default=True)
    given = sorted((name, str(value)) for name, value in known.items() if name.startswith("s3_"))
    given += sorted((name, value) for name, value in os.environ.items() if name.startswith("AWS_"))
    return _s3_client(tuple(given), int(time.monotonic() // 300))


@functools.lru_cache(maxsize=8)
def _s3_client(given: tuple[tuple[str, str], ...], when: int) -> Any:
    from apache_beam.io.aws.clients.s3.boto3_client import Client

    return Client(options()).client


def status(error: BaseException) -> int | None:
    """Return the HTTP status of an error of boto3; None if it has none.

    Relies on the attribute `response` of botocore's `ClientError`.
    """
    found = getattr(error, "response", {}).get("ResponseMetadata", {}).get("HTTPStatusCode")
    return None if found is None else int(found)
