"""The record of a run in its staging area, from which another process can read its result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mmnotebook.beam.elsewhere import area, parts
from mmnotebook.beam.elsewhere.job import Job
from mmnotebook.beam.elsewhere.parts import RunPlace
from mmnotebook.running.plan import Plan
from mmnotebook.store.entries import Entry
from mmnotebook.store.shards import ShardInfo

NAME = "run.json"


def write(place: RunPlace, plan: Plan, job: Job) -> None:
    """Write what another process needs: the graph, the job, and the nodes that were stored here."""
    stored = {name: _stored(place, entry) for name, entry in plan.entries.items()}
    body = {
        "run": place.run_id,
        "graph": plan.prepared.graph.to_json(),
        "job": job.id,
        "numbers": job.numbers,
        "stored": stored,
        "limit": plan.prepared.limit,
    }
    parts.write_signed(place, place.url(NAME), body)


def _stored(place: RunPlace, entry: Entry) -> dict[str, Any]:
    files = []
    for info in entry.infos:
        path = entry.path / info.name
        sent = place.area.put(path, area.digest_of(path))
        files.append({"url": sent.url, "digest": sent.digest, "info": asdict(info)})
    return {"meta": dict(entry.meta), "files": files}


def read(place: RunPlace) -> Any:
    """Return the record of a run, or None."""
    return parts.read_signed(place, place.url(NAME))


def receive(place: RunPlace, stored: Mapping[str, Any], folder: Path) -> None:
    """Copy the shards of a stored node into a folder; raise StorageError if one was altered."""
    for file in stored["files"]:
        target = folder / ShardInfo(**file["info"]).name
        if not area.same(place.area.read(file["url"], target), file["digest"]):
            target.unlink()
            raise parts.altered(file["url"])
