"""Stores for tests: an S3 server of moto at 127.0.0.1, and fsspec's files in memory."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import fsspec
import pytest


class Bucket:
    """A bucket of an S3 server, or a folder in memory.

    Attributes
    ----------
    base
        The address, without a slash at its end.
    """

    def __init__(self, base: str, client: Any = None) -> None:
        self.base, self.client = base, client
        self.name = base.partition("://")[2]

    def put(self, name: str, data: bytes) -> None:
        if self.client is None:
            fsspec.filesystem("memory").pipe_file(f"/{self.name}/{name}", data)
        else:
            self.client.put_object(Bucket=self.name, Key=name, Body=data)

    def put_folder(self, folder: Path) -> None:
        for path in folder.rglob("*"):
            if path.is_file():
                self.put(path.relative_to(folder).as_posix(), path.read_bytes())

    def get(self, name: str) -> bytes:
        if self.client is None:
            return bytes(fsspec.filesystem("memory").cat_file(f"/{self.name}/{name}"))
        return bytes(self.client.get_object(Bucket=self.name, Key=name)["Body"].read())

    def remove(self, name: str) -> None:
        if self.client is None:
            fsspec.filesystem("memory").rm_file(f"/{self.name}/{name}")
        else:
            self.client.delete_object(Bucket=self.name, Key=name)

    def names(self) -> list[str]:
        if self.client is None:
            found = fsspec.filesystem("memory").find(f"/{self.name}")
            return sorted(path.removeprefix(f"/{self.name}/") for path in found)
        listed = self.client.list_objects_v2(Bucket=self.name)
        return sorted(one["Key"] for one in listed.get("Contents", ()))


def in_memory() -> Bucket:
    """Return a new, empty folder in memory."""
    return Bucket(f"memory://{uuid.uuid4().hex}")


@contextmanager
def server() -> Iterator[str]:
    """Run an S3 server that only this machine reaches; yield its address."""
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    running = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    try:
        host, port = running.get_host_and_port()
        yield f"http://{host}:{port}"
    finally:
        running.stop()


@contextmanager
def s3() -> Iterator[Bucket]:
    """Yield an empty bucket of a new server, with the settings to reach it."""
    import boto3

    with server() as endpoint, pytest.MonkeyPatch.context() as settings:
        settings.setenv("AWS_ENDPOINT_URL", endpoint)
        settings.setenv("AWS_ACCESS_KEY_ID", "tests")
        settings.setenv("AWS_SECRET_ACCESS_KEY", "tests")
        settings.setenv("AWS_DEFAULT_REGION", "us-east-1")
        client = boto3.client("s3")
        client.create_bucket(Bucket="tests")
        yield Bucket("s3://tests", client)
