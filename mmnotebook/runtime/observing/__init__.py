from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Observed:
    files: Mapping[str, str | None] = field(default_factory=dict)
    folders: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str | None] = field(default_factory=dict)
    network: bool = False
    volatile: str = ""

    def to_data(self) -> dict[str, Any]:
        return {}

    @classmethod
    def from_data(cls, data: Any) -> Observed:
        return cls()

    def changed(self) -> str:
        return ""

    def digest(self) -> str:
        return ""


class Record:
    def observed(self) -> Observed:
        return Observed()
