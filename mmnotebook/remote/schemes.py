"""The store of an address: of Beam, or of fsspec for a scheme that Beam does not have."""

from __future__ import annotations

import importlib.util

from mmnotebook.remote import addresses, problems
from mmnotebook.remote.beam_store import BeamStore
from mmnotebook.remote.fsspec_store import FsspecStore
from mmnotebook.remote.stores import FileStore


def store_of(address: str, what: str) -> FileStore:
    """Return the store of an address: of Beam, or else of fsspec.

    Raises
    ------
    RemoteFileError
        If there is no file system for the address, or its package is not installed.
    """
    from mmnotebook.compat import beam_files

    try:
        if addresses.scheme(address) != "s3":
            return BeamStore(beam_files.file_system(address))
        if importlib.util.find_spec("boto3") is not None:
            from mmnotebook.remote.s3_store import S3Store

            return S3Store()
    except Exception as error:
        if not str(error).startswith("Unable to get filesystem from specified path"):
            raise problems.failed(what, address, error) from error
    try:
        return FsspecStore(address)
    except ImportError as error:
        raise problems.unknown(address, what, error) from error
    except ValueError as error:
        if "rotocol not known" in str(error):
            raise problems.unknown(address, what, None) from error
        raise problems.failed(what, address, error) from error
    except Exception as error:
        raise problems.failed(what, address, error) from error
