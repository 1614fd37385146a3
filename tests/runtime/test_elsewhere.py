"""Runs whose workers may be elsewhere: parts of committed bundles, staging, refusals."""

from __future__ import annotations

import pickle
import stat
import time
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
import pandas as pd
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.runners.portability.portable_runner import PortableRunner

import mmnotebook as mm
from mmnotebook.beam.elsewhere import area, flink, key, parts, sample, shipped, shipping, workers
from mmnotebook.beam.elsewhere.area import Area
from mmnotebook.beam.elsewhere.parts import Form, RunPlace
from mmnotebook.beam.elsewhere.sample import Sampler, Sampling
from mmnotebook.beam.elsewhere.shipped import Shipper
from mmnotebook.elements.block import Block
from mmnotebook.elements.packing import pack
from mmnotebook.store import shards, timed

AGAIN = {"direct_runner_bundle_repeat": 2}
DOCKER = {"job_endpoint": "localhost:1", "environment_type": "DOCKER"}


def plus(x: Any) -> Any:
    return x + 1


def picky(x: Any) -> Any:
    if x % 10 == 0:
        raise ValueError("a multiple of ten")
    return x


class Adds:
    def predict(self, batch: Any) -> Any:
        return np.asarray(batch) + 5


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


class TestRepeatedBundles:
    @pytest.mark.parametrize("runner", [None, FnApiRunner()])
    def test_each_element_comes_back_once(self, runner: Any) -> None:
        graph = mm.pipeline("data | plus", data=list(range(100)), plus=plus)
        result = mm.run(graph, progress=False, runner=runner, options=AGAIN)
        assert result["plus"]["value"].tolist() == list(range(1, 101))
        assert result.nodes["elements_in"]["plus"] == result.nodes["elements_out"]["plus"] == 100

    def test_failures_count_once(self) -> None:
        graph = mm.pipeline("data | picky", data=list(range(100)), picky=picky)
        result = mm.run(graph, progress=False, options=AGAIN)
        assert result.nodes["failed"]["picky"] == len(result.failed) == 10

    def test_ids_are_not_seen_twice(self, tmp_path: Path) -> None:
        file = tmp_path / "rows.jsonl"
        file.write_text('{"name": "a", "x": 1}\n{"name": "b", "x": 2}\n')
        graph = mm.pipeline(f'out = read("{file}", id="name")["x"] | plus', plus=plus)
        result = mm.run(graph, progress=False, options=AGAIN)
        assert result["out"]["id"].tolist() == ["a", "b"]

    def test_a_node_without_elements(self) -> None:
        graph = mm.pipeline(
            "data | filter(never) | plus", data=[1], never=lambda x: False, plus=plus
        )
        result = mm.run(graph, progress=False, options=AGAIN)
        assert len(result["plus"]) == 0

    def test_an_output_that_cannot_be_stored_is_an_error_of_its_node(self) -> None:
        graph = mm.pipeline("data | broken", data=[1], broken=lambda x: (y for y in [x]))
        with pytest.raises(mm.RunError, match="generator"):
            mm.run(graph, progress=False, options=AGAIN)


class TestStaging:
    def test_it_is_private_and_nothing_is_sent_twice(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        mm.register("adds", Adds())
        graph = mm.pipeline("data | adds", data=[1.0, 2.0])
        staging = tmp_path / "staging"
        sent: list[str] = []
        real = area._write

        def write(url: str, source: Any) -> None:
            sent.append(url)
            real(url, source)

        monkeypatch.setattr(area, "_write", write)
        for _ in range(2):
            result = mm.run(graph, progress=False, fresh=["adds"], staging=str(staging))
            assert result["adds"]["prediction"].tolist() == [6.0, 7.0]
        content = [url for url in sent if "/content/" in url]
        assert len(content) == len(set(content)) == 3  # the model, its modules and the data
        found = list(staging.rglob("*"))
        assert {mode(path) for path in found if path.is_file()} == {0o600}
        assert {mode(path) for path in [staging, *found] if path.is_dir()} == {0o700}
        assert not any(path.is_file() for path in (staging / "runs").rglob("*"))

    def test_a_staging_area_that_cannot_be_used(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        graph = mm.pipeline("data | plus", data=[1], plus=plus)
        with pytest.raises(mm.StorageError, match="staging"):
            mm.run(graph, progress=False, staging=str(tmp_path / "file" / "staging"))

    def test_old_files_are_removed_and_foreign_files_stay(self, tmp_path: Path) -> None:
        own = Area(str(tmp_path))
        (tmp_path / "source").write_text("abc")
        stored = own.put(tmp_path / "source", area.digest_of(tmp_path / "source"))
        where = mm.cluster("PortableRunner", job_endpoint="h:1", staging=tmp_path)
        assert where.clean(older_than=3600) == 0
        assert Path(stored.url).exists()
        assert where.clean(older_than=-1) == 3
        assert not Path(stored.url).exists()
        assert (tmp_path / "source").exists()

    def test_the_key_is_private_and_each_run_has_its_own(self, cache_folder: Path) -> None:
        user = key.of_user()
        assert key.of_user() == user
        assert mode(cache_folder / "cluster.key") == 0o600
        assert key.of_run(user, "a") != key.of_run(user, "b") != user


class TestShipped:
    def arrived(self, path: Any, monkeypatch: pytest.MonkeyPatch) -> str:
        """Return a path as another process unpickles it."""
        pickled = pickle.dumps(path)
        with monkeypatch.context() as patch:
            patch.setattr(shipped, "_PROCESS", "another")
            found: str = pickle.loads(pickled)
        return found

    @pytest.mark.parametrize("with_area", [True, False])
    def test_a_folder_arrives(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, with_area: bool
    ) -> None:
        source = tmp_path / "model"
        (source / "inner").mkdir(parents=True)
        (source / "inner" / "weights").write_bytes(b"123")
        place = Area(str(tmp_path / "staging")) if with_area else None
        path = Shipper(place).path(str(source))
        assert pickle.loads(pickle.dumps(path)) == str(source)
        there = self.arrived(str(path), monkeypatch)
        assert there != str(source)
        assert (Path(there) / "inner" / "weights").read_bytes() == b"123"

    def test_an_altered_file_is_not_used(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "model").write_bytes(b"good")
        path = Shipper(Area(str(tmp_path / "staging"))).path(str(tmp_path / "model"))
        staged = next(one for one in (tmp_path / "staging").rglob("*") if one.is_file())
        staged.write_bytes(b"evil")
        with pytest.raises(mm.StorageError, match="altered"):
            self.arrived(path, monkeypatch)

    def test_what_is_too_big_for_the_pipeline_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "model").write_bytes(bytes(shipped.IN_PIPELINE + 1))
        with pytest.raises(mm.RunError, match="staging"):
            Shipper(None).path(str(tmp_path / "model"), what="model 'm'")


def run_parts(folder: Path, sampling: Sampling | None = None) -> RunPlace:
    """Store 100 elements as the parts of a node."""
    place = RunPlace(Area(str(folder)), "run", b"k" * 32)
    block = Block([str(x) for x in range(100)], pack(list(range(100))))
    with beam.Pipeline(FnApiRunner()) as pipeline:
        blocks = pipeline | beam.Create([block])
        blocks.element_type = Block
        parts.store("node", 0, blocks, place, Form(sampling, parquet=True))
    return place


class TestParts:
    def test_they_come_back(self, tmp_path: Path) -> None:
        place = run_parts(tmp_path / "staging")
        found = parts.manifest(place, "node", 0)
        assert found is not None
        parts.check("node", found, 100, 0)
        folder = tmp_path / "here"
        folder.mkdir()
        for part in found:
            parts.receive(place, 0, part, folder)
        values = [
            v
            for path in timed.files(folder)
            for b in shards.read(path, shards.info(path))
            for v in b.ids
        ]
        assert values == [str(x) for x in range(100)]

    def test_parquet_files_of_committed_bundles_are_beside(self, tmp_path: Path) -> None:
        folder = Path(run_parts(tmp_path).kept(0))
        assert [path.name for path in folder.iterdir()] == ["part-00000-of-00001.parquet"]
        assert pd.read_parquet(folder)["value"].tolist() == list(range(100))

    def test_fewer_elements_than_counted_are_an_error(self, tmp_path: Path) -> None:
        found = parts.manifest(run_parts(tmp_path), "node", 0)
        assert found is not None
        with pytest.raises(mm.RunError, match="101 outputs"):
            parts.check("node", found, 101, 0)

    def test_an_altered_part_is_not_loaded(self, tmp_path: Path) -> None:
        place = run_parts(tmp_path / "staging")
        shard = next((tmp_path / "staging").rglob("*.shard"))
        shard.write_bytes(pickle.dumps("evil"))
        (part,) = parts.manifest(place, "node", 0) or []
        with pytest.raises(mm.StorageError, match="nothing of it was loaded"):
            parts.receive(place, 0, part, tmp_path)
        assert not list(tmp_path.glob("*.shard"))

    def test_an_altered_or_foreign_manifest_is_refused(self, tmp_path: Path) -> None:
        place = run_parts(tmp_path)
        path = Path(place.manifest(0))
        other = RunPlace(place.area, "run", b"x" * 32)
        with pytest.raises(mm.StorageError):
            parts.manifest(other, "node", 0)
        with pytest.raises(mm.StorageError):
            parts.manifest(place, "another node", 0)
        path.write_text(path.read_text().replace('"rows": 100', '"rows": 10'))
        with pytest.raises(mm.StorageError):
            parts.manifest(place, "node", 0)

    def test_a_sample_counts_all_elements(self, tmp_path: Path) -> None:
        found = parts.manifest(run_parts(tmp_path, Sampling(10)), "node", 0)
        assert found is not None
        parts.check("node", found, 100, 0)
        assert sum(part.kept for part in found) == 10


class TestSampler:
    def test_it_keeps_the_lowest_hashes_of_all_blocks(self) -> None:
        blocks = [Block([f"{n}-{x}" for x in range(50)], pack(list(range(50)))) for n in range(20)]
        sampler = Sampler(Sampling(30))
        for block in blocks:
            sampler.add(block, None)
        sampler.shrink()
        kept = [one for block, _ in sampler.kept for one in block.ids]
        ranked = sorted(
            (int(h), i) for b in blocks for h, i in zip(sample.hashes(b), b.ids, strict=True)
        )
        assert sorted(kept) == sorted(i for _, i in ranked[:30])
        assert sampler.rows == 1000
        assert sampler.limit == ranked[29][0]

    def test_children_go_with_their_source(self) -> None:
        parents = Block([str(x) for x in range(1000)], pack(list(range(1000))))
        children = Block(
            [f"{x}/0" for x in range(1000)], pack(list(range(1000))), origins=list(parents.ids)
        )
        limit = int(np.sort(sample.hashes(parents))[99])
        chosen = sample.cut(parents, limit).ids
        assert sample.cut(children, limit).ids == [f"{one}/0" for one in chosen]
        assert len(chosen) == 100


class TestRefused:
    def test_a_runner_elsewhere_without_a_staging_area(self) -> None:
        graph = mm.pipeline("data | plus", data=[1], plus=plus)
        with pytest.raises(mm.RunError, match="staging="):
            mm.run(graph, progress=False, runner=PortableRunner(), options=DOCKER)

    def test_a_run_in_the_background_that_cannot_be_stopped(self) -> None:
        graph = mm.pipeline("data | plus", data=[1], plus=plus)
        options = {"direct_running_mode": "multi_processing", "direct_num_workers": 2}
        with pytest.raises(mm.RunError, match="wait=False"):
            mm.run(graph, progress=False, wait=False, options=options)

    @pytest.mark.parametrize("given", [{"keep": ["plus"]}, {"sample": 3}])
    def test_what_only_a_cluster_has(self, given: dict[str, Any]) -> None:
        graph = mm.pipeline("data | plus", data=[1], plus=plus)
        with pytest.raises(mm.RunError, match="only has an effect with on="):
            mm.run(graph, progress=False, **given)

    def test_unknown_nodes_and_samples_on_a_cluster(self, tmp_path: Path) -> None:
        where = mm.cluster("PortableRunner", job_endpoint="h:1", staging=tmp_path)
        graph = mm.pipeline("data | plus", data=[1], plus=plus)
        with pytest.raises(mm.GraphError, match="plus"):
            mm.run(graph, on=where, keep=["pluss"])
        with pytest.raises(mm.RunError, match="sample=0"):
            mm.run(graph, on=where, sample=0)
        with pytest.raises(mm.RunError, match="has no effect with on="):
            mm.run(graph, on=where, runner=FnApiRunner())
        with pytest.raises(mm.RunError, match=r"mm\.cluster"):
            mm.run(graph, on="flink")  # type: ignore[arg-type]

    def test_a_run_that_is_not_there(self, tmp_path: Path) -> None:
        where = mm.cluster("PortableRunner", job_endpoint="h:1", staging=tmp_path)
        with pytest.raises(mm.RunError, match="there is no run"):
            mm.attach("none", where)

    def test_a_local_file_written_elsewhere(self, tmp_path: Path) -> None:
        options = PipelineOptions.from_dictionary(DOCKER)
        pipeline = beam.Pipeline(runner=PortableRunner(), options=options)
        graph = mm.pipeline(f'data | write("{tmp_path}/out.jsonl")', data=[1])
        with pytest.raises(mm.RunError, match=r"out\.jsonl"):
            mm.compile_graph(graph, pipeline)


def test_where_workers_are() -> None:
    assert not workers.of(None, None).repeat
    assert not workers.of(FnApiRunner(), None).repeat
    assert workers.of(FnApiRunner(bundle_repeat=1), None).repeat
    assert workers.of(PortableRunner(), DOCKER).apart
    assert not workers.of(PortableRunner(), {**DOCKER, "environment_type": "LOOPBACK"}).apart
    assert not workers.of(PortableRunner(), {"job_endpoint": "embed"}).cancelable


def test_modules_of_the_user_are_by_value_only_in_the_block() -> None:
    from mmnotebook.compat.cloudpickle import beams

    with shipping.local_modules():
        assert __name__ in beams.list_registry_pickle_by_value()
    assert not beams.list_registry_pickle_by_value()


def test_a_distribution_without_values_has_no_maximum() -> None:
    from mmnotebook.running import measures

    class Metrics:
        def query(self) -> dict[str, Any]:
            metric = type("M", (), {"namespace": "n", "name": "d"})
            empty = type("V", (), {"sum": 0, "count": 0, "max": None})
            entry = type("E", (), {"key": type("K", (), {"metric": metric}), "committed": empty})
            entry.attempted = None
            return {"counters": [], "distributions": [entry]}

    assert measures.from_beam(Metrics()) == ({}, {})


def test_counts_of_a_slow_bundle_are_published_in_between(monkeypatch: pytest.MonkeyPatch) -> None:
    from mmnotebook.beam.dofns import tracking

    published: list[dict[str, int]] = []
    monkeypatch.setattr(tracking, "add_counts", lambda run, name, counts: published.append(counts))
    monkeypatch.setattr(tracking, "_EVERY", 0.05)
    track = tracking.Tracker("node", "no run")
    track.report_early()
    track.each(list("abcd"), range(4), lambda x: time.sleep(0.03))
    track.publish()
    assert len(published) > 1
    assert sum(one["elements_in"] for one in published) == 4


class TestCancel:
    def test_jobs_of_this_name_that_have_not_ended(self, monkeypatch: pytest.MonkeyPatch) -> None:
        jobs = [("a", "mine", "RUNNING"), ("b", "mine", "FINISHED"), ("c", "other", "RUNNING")]
        asked: list[tuple[str, str]] = []

        def answer(url: str, method: str = "GET") -> Any:
            asked.append((method, url))
            return {"jobs": [{"jid": i, "name": n, "state": s} for i, n, s in jobs]}

        monkeypatch.setattr(flink, "_asked", answer)
        flink.cancel(PipelineOptions(["--job_name=mine"]))
        assert not asked  # the address of Flink is unknown
        flink.cancel(PipelineOptions(["--job_name=mine", "--flink_master=host:8081"]))
        assert asked == [
            ("GET", "http://host:8081/jobs/overview"),
            ("PATCH", "http://host:8081/jobs/a?mode=cancel"),
        ]


def test_a_run_that_is_not_on_a_cluster_has_no_key() -> None:
    graph = mm.pipeline("data | plus", data=[1], plus=plus)
    running = mm.run(graph, wait=False, progress=False)
    running.result()
    assert len(running.run_id) == 32
    with pytest.raises(mm.RunError, match="on=where"):
        _ = running.key
