"""The stored form of the observations of a node."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mmnotebook.observing import states


@dataclass(frozen=True)
class Observed:
    """The observations from the computation of a node: the dependencies of its results.

    Attributes
    ----------
    files
        By absolute path, the state of each file that was read (see `states`); None for a file that
        does not exist.
    folders
        By absolute path, a digest of the listing of each folder.
    environment
        By name, a digest of the value of each environment variable; None for a variable that was
        not set. The name "." means the working directory.
    network
        Whether a socket was connected, or the address of a host was requested.
    volatile
        Why no other run may use the results, such as "it drew random numbers (torch)"; "" if every
        run may use the results.

    Examples
    --------
    >>> seen = Observed(environment={"MODE": None})
    >>> seen.changed()
    ''
    """

    files: Mapping[str, str | None] = field(default_factory=dict)
    folders: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str | None] = field(default_factory=dict)
    network: bool = False
    volatile: str = ""

    def to_data(self) -> dict[str, Any]:
        """Return plain data, for JSON."""
        return {
            "files": dict(self.files),
            "folders": dict(self.folders),
            "environment": dict(self.environment),
            "network": self.network,
            "volatile": self.volatile,
        }

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Observed:
        """Create an object from the result of `to_data`."""
        return cls(**data)

    def changed(self) -> str:
        """Describe what changed: "the file prices.csv that it reads changed"; "" for nothing."""
        for path, state in self.files.items():
            now = states.again(path, state)
            if now != state:
                return _file_change(path, state, now)
        for path, state in self.folders.items():
            if states.listing(path) != state:
                return f"the folder {_name(path)} that it lists changed"
        for name, state in self.environment.items():
            if states.variable(name) != state:
                return f"{_variable(name)} that it reads changed"
        return ""

    def digest(self) -> str:
        """Return a digest of all dependencies; "" if there are none."""
        if not (self.files or self.folders or self.environment):
            return ""
        data = [self.files, self.folders, self.environment]
        text = json.dumps(data, sort_keys=True, default=dict)
        return hashlib.blake2b(text.encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()

    def __or__(self, other: Observed) -> Observed:
        volatile = self.volatile or other.volatile
        files = {**self.files, **other.files}
        for path in self.files.keys() & other.files.keys():
            mine, theirs = self.files[path], other.files[path]
            if not states.agree(mine, theirs):
                volatile = volatile or f"the file {_name(path)} that it reads changed while it ran"
            elif mine is not None and theirs is not None:
                files[path] = states.joined(mine, theirs)
        for path in self.folders.keys() & other.folders.keys():
            if self.folders[path] != other.folders[path]:
                change = f"the folder {_name(path)} that it lists changed while it ran"
                volatile = volatile or change
        for name in self.environment.keys() & other.environment.keys():
            if self.environment[name] != other.environment[name]:
                volatile = volatile or f"the environment variable {name} changed while it ran"
        return Observed(
            files,
            {**self.folders, **other.folders},
            {**self.environment, **other.environment},
            self.network or other.network,
            volatile,
        )


def _name(path: str) -> str:
    return os.path.basename(path.rstrip(os.sep)) or path


def _variable(name: str) -> str:
    if name == states.WORKING_FOLDER:
        return "the working directory"
    if name == states.ALL_VARIABLES:
        return "an environment variable"
    return f"the environment variable {name}"


def _file_change(path: str, before: str | None, now: str | None) -> str:
    if before is None:
        return f"the file {_name(path)} that it looked for now exists"
    if now is None:
        return f"the file {_name(path)} that it reads no longer exists"
    return f"the file {_name(path)} that it reads changed"
