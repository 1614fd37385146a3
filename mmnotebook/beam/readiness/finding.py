"""`Finding`, one entry of the readiness lint, and `Target`, what it is checked against."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from apache_beam.options.pipeline_options import (
    GoogleCloudOptions,
    PipelineOptions,
    PortableOptions,
    SetupOptions,
)

from mmnotebook.beam import runners
from mmnotebook.beam.options import create

Severity = Literal["error", "warning"]


@dataclass(frozen=True)
class Finding:
    """Something that does not work, or works otherwise, on workers elsewhere.

    Attributes
    ----------
    node
        The node; "" if it concerns all nodes.
    reason
        What was found.
    remedy
        What to do.
    severity
        "error" if a run will fail or lose results, "warning" if it may, or if its results differ.
    """

    node: str
    reason: str
    remedy: str
    severity: Severity = "warning"

    def __str__(self) -> str:
        return f"{self.node + ': ' if self.node else ''}{self.reason}\n  → {self.remedy}"


@dataclass(frozen=True)
class Target:
    """The workers that a graph is checked for.

    Attributes
    ----------
    runner
        The runner; None if it is not known.
    options
        Beam's options.
    staging
        The folder or address that this machine and the workers share; None if there is none.
    ships_modules
        Whether the functions of the user's modules travel with the pipeline.
    """

    runner: Any
    options: PipelineOptions
    staging: str | None = None
    ships_modules: bool = False

    @classmethod
    def of_pipeline(cls, pipeline: Any) -> Target:
        """Return the workers of a pipeline that the user created."""
        shared = pipeline.options.view_as(GoogleCloudOptions).temp_location
        return cls(pipeline.runner, pipeline.options, None if shared is None else str(shared))

    @classmethod
    def unknown(cls) -> Target:
        """Return workers of which only is known that they are on other machines."""
        return cls(None, create(None, {}))

    @property
    def are_elsewhere(self) -> bool:
        """Whether the workers may be on other machines."""
        return self.runner is None or runners.is_elsewhere(self.runner, self.options)

    @property
    def are_external(self) -> bool:
        """Whether the workers were started by somebody else, so that Beam installs nothing."""
        return bool(self.options.view_as(PortableOptions).environment_type == "EXTERNAL")

    @property
    def install_packages(self) -> bool:
        """Whether the workers install packages of the user that the options name."""
        setup = self.options.view_as(SetupOptions)
        return not self.are_external and bool(setup.setup_file or setup.extra_packages)

    def share(self, path: str | os.PathLike[str]) -> bool:
        """Return whether a file or an address is one that the workers see too."""
        text = os.fspath(path)
        if "://" in text:
            return True
        if self.staging is None or "://" in self.staging:
            return False
        return Path(text).absolute().is_relative_to(self.staging)


Findings = Iterator[Finding]
