"""S3, by the client and the options of Beam's file system.

The file system itself creates a client for each operation, needs three requests for a version,
tries again for ten minutes without credentials, and cannot write an empty file.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, cast

from mmnotebook.compat import beam_files
from mmnotebook.remote.stores import FileStore, RemoteFile

_AT_ONCE = 1000
"""The maximum number of files in a request to delete them."""


class S3Store(FileStore):
    """The buckets of an S3 server."""

    def __init__(self) -> None:
        self._client = beam_files.s3_client()

    def below(self, folder: str) -> Iterator[RemoteFile]:
        bucket, prefix = _parts(folder)
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        for page in pages:
            for one in page.get("Contents", ()):
                address = f"s3://{bucket}/{one['Key']}"
                updated = one["LastModified"].timestamp()
                yield RemoteFile(address, one["Size"], updated, one["ETag"])

    def file(self, address: str) -> RemoteFile | None:
        bucket, key = _parts(address)
        if not key:
            return None
        try:
            found = self._client.head_object(Bucket=bucket, Key=key)
        except Exception as error:
            if beam_files.status(error) == 404:
                return None
            raise
        updated = found["LastModified"].timestamp()
        return RemoteFile(address, found["ContentLength"], updated, found["ETag"])

    def open(self, address: str) -> BinaryIO:
        bucket, key = _parts(address)
        return cast("BinaryIO", self._client.get_object(Bucket=bucket, Key=key)["Body"])

    def send(self, path: Path, address: str) -> None:
        bucket, key = _parts(address)
        self._client.upload_file(str(path), bucket, key)

    def move(self, pairs: Sequence[tuple[str, str]]) -> None:
        for old, new in pairs:
            bucket, key = _parts(old)
            self._client.copy({"Bucket": bucket, "Key": key}, *_parts(new))
        self.delete([old for old, _ in pairs])

    def delete(self, some: Sequence[str]) -> None:
        for first in range(0, len(some), _AT_ONCE):
            keys = list(map(_parts, some[first : first + _AT_ONCE]))
            objects = [{"Key": key} for _, key in keys]
            made = self._client.delete_objects(Bucket=keys[0][0], Delete={"Objects": objects})
            if made.get("Errors"):
                raise OSError(f"{made['Errors'][0]['Code']}: {made['Errors'][0]['Message']}")

    def check(self, address: str) -> None:
        try:
            self._client.head_bucket(Bucket=_parts(address)[0])
        except Exception as error:
            # Without permission to ask for the bucket, its files may still be writable.
            if beam_files.status(error) not in (403, 405):
                raise


def _parts(address: str) -> tuple[str, str]:
    """Return the bucket and the key of an address."""
    bucket, _, key = address.partition("://")[2].partition("/")
    return bucket, key
