"""Files at addresses: read, written and registered like files of this machine."""

from __future__ import annotations

import io
import os
import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apache_beam as beam
import joblib
import numpy as np
import pandas as pd
import pytest
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from PIL import Image
from sklearn.linear_model import LinearRegression

import mmnotebook as mm
from mmnotebook import storage
from mmnotebook.compat import beam_files
from mmnotebook.errors import MMError, ModelError, RunError
from mmnotebook.remote import files
from mmnotebook.remote.beam_store import BeamStore
from mmnotebook.remote.problems import RemoteFileError
from mmnotebook.remote.schemes import store_of
from mmnotebook.remote.stores import FileStore
from mmnotebook.sources import sources
from tests.runtime.stores import Bucket, in_memory, s3

STORES = ["memory", pytest.param("s3", marks=pytest.mark.slow)]


@pytest.fixture(scope="module")
def served() -> Iterator[Bucket]:
    with s3() as bucket:
        yield bucket


@pytest.fixture
def bucket(request: pytest.FixtureRequest) -> Bucket:
    """Return an empty bucket: in memory, or of an S3 server if the test is parametrized so."""
    if getattr(request, "param", "memory") == "memory":
        return in_memory()
    found: Bucket = request.getfixturevalue("served")
    for name in found.names():
        found.remove(name)
    return found


stores = pytest.mark.parametrize("bucket", STORES, indirect=True)


def same(value: Any) -> Any:
    return value


def sized(value: dict[str, Any]) -> int:
    return int(value["image"].size)


def run(text: str, **options: Any) -> mm.Result:
    known = {"same": same, "sized": sized, **options.pop("names", {})}
    names = {name: one for name, one in known.items() if re.search(rf"\b{name}\b", text)}
    return mm.run(mm.pipeline(text, **names), progress=False, max_failed=0.5, **options)


def data(path: Path) -> Path:
    """Write files of every kind, some of which cannot be read."""
    frame = pd.DataFrame({"k": list("abcd"), "x": [1.5, 2, 3, 4]})
    for folder in ("one", "two/deep", ".hidden"):
        (path / folder).mkdir(parents=True)
        frame.to_parquet(path / folder / "t.parquet")
    frame.to_csv(path / "one" / "t.csv", index=False)
    frame.to_csv(path / "one" / "t.csv.gz", index=False)
    (path / "two" / "l#1 50%25.jsonl").write_text('{"a": 1}\nno json\n')
    np.save(path / "two" / "n.npy", np.arange(12).reshape(6, 2))
    (path / "two" / "bad.npy").write_bytes(b"no array")
    (path / "two" / "notes.txt").write_text("no data")
    for label in ("cat", "dog"):
        (path / "pictures" / label).mkdir(parents=True)
        Image.new("L", (3, 2), 7).save(path / "pictures" / label / "1.png")
    (path / "pictures" / "cat" / "bad.png").write_bytes(b"no picture")
    return path


PATTERNS = [
    "one/t.parquet",
    "one/t.csv",
    "one/*.csv*",
    "*/*.parquet",
    "**/*.parquet",
    "two/*",
    "two/l#1 50%25.jsonl",
    "two/n.npy",
    "[ot]*/[!b]*.npy",
]
QUICK = ["two/*", "**/*.parquet", "[ot]*/[!b]*.npy"]


@pytest.mark.parametrize("pattern", QUICK)
def test_a_table_is_equal_to_that_of_local_files(
    tmp_path: Path, bucket: Bucket, pattern: str
) -> None:
    folder = data(tmp_path / "data")
    bucket.put_folder(folder)
    check_table(folder, bucket, pattern)


@pytest.mark.slow
@pytest.mark.parametrize("bucket", ["memory", "s3"], indirect=True)
def test_tables_are_equal_to_those_of_local_files(tmp_path: Path, bucket: Bucket) -> None:
    folder = data(tmp_path / "data")
    bucket.put_folder(folder)
    for pattern in PATTERNS:
        check_table(folder, bucket, pattern)


def check_table(folder: Path, bucket: Bucket, pattern: str) -> None:
    paths = (f"{base}/{pattern}" for base in (folder, bucket.base))
    here, there = (run(f"rows = read({path!r})\nrows | same") for path in paths)
    pd.testing.assert_frame_equal(here["same"], there["same"])
    assert len(here["same"])
    columns = ["node", "id", "error"]
    pd.testing.assert_frame_equal(here.failed[columns], there.failed[columns])
    text = " ".join(there.failed["message"])
    assert storage.session_folder().name not in text


@stores
@pytest.mark.parametrize("pattern", ["pictures", "pictures/", "pictures/*/*.png", "pictures/cat"])
def test_pictures(tmp_path: Path, bucket: Bucket, pattern: str) -> None:
    folder = data(tmp_path / "data")
    bucket.put_folder(folder)
    paths = (f"{base}/{pattern}" for base in (folder, bucket.base))
    here, there = (run(f"rows = read({path!r})\nrows | sized") for path in paths)
    columns = ["id", "label", "value"]
    pd.testing.assert_frame_equal(here["sized"][columns], there["sized"][columns])
    assert there["sized"]["path"].iloc[0] == f"{bucket.base}/pictures/cat/1.png"
    assert here.failed["id"].tolist() == there.failed["id"].tolist() != []
    assert there.failed["message"].str.contains(bucket.base, regex=False).all()


@stores
def test_a_source_is_an_address_too(bucket: Bucket) -> None:
    bucket.put("x.csv", b"a,b\n1,2\n3,4\n")
    result = run('X["a"] | same', names={"X": f"{bucket.base}/x.csv"}, limit=1)
    assert result["same"]["value"].tolist() == [1] and result["same"]["id"].tolist() == ["x.csv#0"]


@stores
def test_changed_content_is_noticed(bucket: Bucket) -> None:
    text = f'read("{bucket.base}/*.jsonl") | same'
    for value in (b"1", b"2", b"2", b"1"):  # of equal size, and within a second
        bucket.put("x.jsonl", value)
        assert run(text)["same"]["value"].tolist() == [int(value)]
    assert run(text).nodes.loc["same", "cached"]
    bucket.put("y.jsonl", b"3")
    assert run(text)["same"]["value"].tolist() == [1, 3]
    bucket.remove("x.jsonl")
    assert run(text)["same"]["value"].tolist() == [3]


def test_a_cached_run_copies_no_file(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    bucket.put("x.jsonl", b"1\n2")
    text = f'read("{bucket.base}/*.jsonl") | same'
    run(text)
    monkeypatch.setattr(files, "_fetched", None)
    assert run(text)["same"]["value"].tolist() == [1, 2]


def test_copies_are_removed(bucket: Bucket) -> None:
    bucket.put("x.jsonl", b"1\n2")
    before = sorted(storage.session_folder().iterdir())
    run(f'read("{bucket.base}/*.jsonl") | same | write("{bucket.base}/out.csv")')
    assert sorted(storage.session_folder().iterdir()) == before


@stores
@pytest.mark.parametrize("name", ["answers.parquet", "answers.csv", "a b%20#.jsonl"])
def test_one_file_is_written_as_one_file(bucket: Bucket, name: str) -> None:
    frame = pd.DataFrame({"a": [1, 2], "b": ["x", None]})
    for rows in (frame, frame[:1]):
        run(f"rows | same | write({f'{bucket.base}/to/{name}'!r})", names={"rows": rows})
        assert bucket.names() == [f"to/{name}"]
        assert len(run(f"read({f'{bucket.base}/to/{name}'!r})")["read"]) == len(rows)


@stores
def test_a_folder_is_replaced_by_one_commit(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mmnotebook.sources.writers.PART_ROWS", 4096)
    text = f'rows | same | write("{bucket.base}/out.jsonl/")'
    rows = [{"a": row} for row in range(10_000)]
    run(text, names={"rows": rows})
    parts = [f"out.jsonl/part-{part:05d}-of-00003.jsonl" for part in range(3)]
    assert bucket.names() == parts
    assert len(run(f'read("{bucket.base}/out.jsonl/*")')["read"]) == 10_000
    run(text, names={"rows": rows[:3]})
    assert bucket.names() == ["out.jsonl/part-00000-of-00001.jsonl"]


def test_no_reader_finds_half_of_a_folder(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Look at the folder after each operation of a write, which is also stopped there."""
    from mmnotebook.remote.fsspec_store import FsspecStore

    folder, seen = f"{bucket.base}/out/", []
    old, new = b"1\n2\n3\n4", b"5\n6\n7\n8"

    def look() -> None:
        try:
            seen.append([bucket.get(one.address.removeprefix(f"{bucket.base}/"))
                         for one in files.below(folder, "*.jsonl")])  # fmt: skip
        except RemoteFileError as error:
            assert "a write is replacing these files now" in str(error)
            seen.append([])

    for name in ("send", "move", "delete"):
        whole = getattr(FsspecStore, name)

        def looking(self: Any, *arguments: Any, whole: Any = whole) -> Any:
            look()
            try:
                return whole(self, *arguments)
            finally:
                look()

        monkeypatch.setattr(FsspecStore, name, looking)
    parts = [f"part-{part:05d}-of-00002.jsonl" for part in range(2)]
    for content in (old, new):
        local = [tmp_path / name for name in parts]
        for path in local:
            path.write_bytes(content)
        files.put_folder(local, folder, [one.address for one in files.listed(folder)])
    assert [one for one in seen if one not in ([], [old, old], [new, new])] == []
    assert [] in seen and seen[-1] == [new, new]
    assert bucket.names() == [f"out/{name}" for name in parts]


def test_an_interrupted_write_is_replaced_by_the_next(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mmnotebook.remote.fsspec_store import FsspecStore

    text = f'rows | same | write("{bucket.base}/out/")'
    run(text, names={"rows": [1, 2]})

    def stopped(self: Any, pairs: Any) -> None:
        raise OSError("the network is down")

    with monkeypatch.context() as broken:
        broken.setattr(FsspecStore, "move", stopped)
        with pytest.raises(RunError, match="cannot write 'memory://.*the network is down"):
            run(text, names={"rows": [3]})
    with pytest.raises(RunError, match="was killed while it did"):
        run(f'read("{bucket.base}/out/*.parquet")')
    run(text, names={"rows": [3]})
    assert bucket.names() == ["out/part-00000-of-00001.parquet"]
    assert len(run(f'read("{bucket.base}/out/*.parquet")')["read"]) == 1


def test_a_file_that_was_not_sent_completely_is_not_seen(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = f'rows | same | write("{bucket.base}/out.csv")'
    run(text, names={"rows": [{"a": 1}]})

    def broken(source: Any, copy: Any, size: int) -> None:
        copy.write(source.read(1))
        raise ConnectionResetError("gone")

    monkeypatch.setattr("mmnotebook.remote.fsspec_store.shutil.copyfileobj", broken)
    with pytest.raises(RunError, match="cannot write 'memory://.*the server does not answer"):
        run(text, names={"rows": [{"a": 2}]})
    assert bucket.names() == ["out.csv"] and bucket.get("out.csv") == b"id,a\n0,1\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('rows | same | write("{}/x.txt")', "allowed endings"),
        ('rows | same | write("{}/folder")', "writes a folder of parquet files"),
        ('rows | same | write("{}/full/")', "other files, such as 'other.txt'"),
        ('a = read("{0}/x.csv") | write("{0}/x.csv")', "source 'read' reads it"),
        ('read("{0}/*/*.csv") | write("{0}/y/x.csv")', "source 'read' reads it"),
        ('read("{0}/**/*.parquet") | write("{0}/new/")', "source 'read' reads it"),
        ('rows | [write("{0}/x.csv"), write("{0}/x.csv")]', "both write"),
        ('rows | [write("{0}/z/"), write("{0}/z/x.csv")]', "into the folder"),
    ],
)
def test_what_cannot_be_written_is_refused_before_the_run(
    bucket: Bucket, text: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket.put("x.csv", b"a\n1\n")
    bucket.put("y/z.csv", b"a\n1\n")
    bucket.put("full/other.txt", b"mine")
    monkeypatch.setattr("mmnotebook.running.session._begun", None)
    with pytest.raises(MMError, match=message) as caught:
        run(text.format(bucket.base), names={"rows": [{"a": 1}]})
    assert "memory://" in str(caught.value)


def dumped(slope: float) -> bytes:
    rows = np.arange(4.0).reshape(4, 1)
    file = io.BytesIO()
    joblib.dump(LinearRegression().fit(rows, slope * rows[:, 0]), file)
    return file.getvalue()


@stores
def test_a_model(bucket: Bucket, tmp_path: Path) -> None:
    bucket.put("models/m.joblib", dumped(1.0))
    address = f"{bucket.base}/models/m.joblib"
    spec = mm.register("far", address)
    assert spec.origin == address and Path(str(spec.path)).read_bytes() == dumped(1.0)
    graph = mm.pipeline("X | far", X=np.arange(3.0).reshape(3, 1))

    def answers() -> tuple[list[float], str]:
        result = mm.run(graph, progress=False)
        return result["far"]["prediction"].round(6).tolist(), result.why["far"]

    assert answers() == ([0.0, 1.0, 2.0], "not in the cache")
    assert answers() == ([0.0, 1.0, 2.0], "read from the cache")
    bucket.put("models/m.joblib", dumped(2.0))
    assert answers() == ([0.0, 2.0, 4.0], "its model far changed")
    bucket.put("models/m.joblib", dumped(1.0))
    assert answers() == ([0.0, 1.0, 2.0], "read from the cache")
    (tmp_path / "m.joblib").write_bytes(dumped(1.0))
    mm.register("far", tmp_path / "m.joblib")
    assert answers() == ([0.0, 1.0, 2.0], "read from the cache")  # identity is content


def test_a_model_whose_store_is_gone_still_runs_and_is_not_cached(bucket: Bucket) -> None:
    bucket.put("m.joblib", dumped(1.0))
    mm.register("far", f"{bucket.base}/m.joblib")
    bucket.remove("m.joblib")
    result = run("X | far", names={"X": np.ones((1, 1))})
    assert result["far"]["prediction"].round(6).tolist() == [1.0]
    assert f"not known whether {bucket.base}/m.joblib has changed" in result.why["far"]


def test_the_newest_model_of_a_pattern(bucket: Bucket) -> None:
    bucket.put("m-1.joblib", dumped(1.0))
    mm.register("far", f"{bucket.base}/m-1.joblib")
    text = f'X | model(far, watch="{bucket.base}/m-*.joblib")'
    for slope in (2.0, 3.0):
        bucket.put(f"m-{slope}.joblib", dumped(slope))
        made = run(text, names={"X": np.ones((1, 1))})
        assert made["far"]["prediction"].round(6).tolist() == [slope]


def test_a_folder_as_a_model(bucket: Bucket, tmp_path: Path) -> None:
    bucket.put("deep/a/1", b"one")
    bucket.put("deep/2", b"two")
    path = files.fetch(f"{bucket.base}/deep", tmp_path)
    assert path == tmp_path / "deep" and (path / "a" / "1").read_bytes() == b"one"
    with pytest.raises(ModelError, match=rf"cannot register '{bucket.base}/deep' as 'far'"):
        mm.register("far", f"{bucket.base}/deep")


@stores
def test_a_compiled_graph(bucket: Bucket) -> None:
    bucket.put("x.jsonl", b"1\n2\n")
    graph = mm.pipeline(
        f'read("{bucket.base}/*.jsonl") | same | write("{bucket.base}/to/out.jsonl")', same=same
    )
    with beam.Pipeline(FnApiRunner()) as pipeline:
        mm.compile_graph(graph, pipeline)
    assert bucket.get("to/out.jsonl").count(b"\n") == 2


STORE_KINDS = ["fsspec", "s3", "beam"]


@pytest.mark.slow
@pytest.mark.parametrize("kind", STORE_KINDS)
def test_stores(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """Check each kind of store; "beam" is Beam's own file system for S3."""
    base = f"{in_memory().base}/top"
    if kind != "fsspec":
        base = f"{request.getfixturevalue('served').base}/{kind}"
    store: FileStore = store_of(base, "read")
    if kind == "beam":
        store = BeamStore(beam_files.file_system(base))
    local = tmp_path / "x.gz"
    local.write_bytes(b"not zipped" * 10)
    names = ["a/x.gz", "a/b/y%20#é.csv", "z"]
    for name in names:
        store.send(local, f"{base}/{name}")
    found = {one.address.removeprefix(f"{base}/"): one.size for one in store.below(f"{base}/")}
    assert found == dict.fromkeys(names, 100)
    assert store.file(f"{base}/none") is store.file(f"{base}/a") is None
    first = store.file(f"{base}/z")
    assert first is not None and (first.address, first.size) == (f"{base}/z", 100)
    assert abs(first.updated - time.time()) < 60
    local.write_bytes(b"other text" * 10)
    store.send(local, f"{base}/z")
    second = store.file(f"{base}/z")
    assert second is not None and (second.checksum != first.checksum or kind == "fsspec")
    store.move([(f"{base}/z", f"{base}/a/x.gz")])
    with store.open(f"{base}/a/x.gz") as file:
        assert file.read() == b"other text" * 10
    store.delete([f"{base}/{name}" for name in names[:2]])
    assert list(store.below(f"{base}/")) == []


@pytest.mark.slow
def test_an_empty_file(served: Bucket) -> None:
    run(f'rows | write("{served.base}/empty.jsonl")', names={"rows": []})
    assert served.get("empty.jsonl") == b""


# Errors


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("gs://bucket/x.csv", 'the package for gs:// is not installed\n.*"apache-beam.gcp."'),
        ("abfs://bucket/x.csv", "the package for abfs:// is not installed\n.*adlfs"),
        ("hdfs://bucket/x.csv", "hdfs"),
        ("nowhere://bucket/x.csv", "no file system is known for nowhere://"),
        ("memory://none/x.csv", "no file matches.*\n.*case-sensitive"),
        ("memory://none/*.csv", "no file matches"),
        ("s3:/bucket/x.csv", r"pass the address as text, 's3://bucket/x.csv'"),
    ],
)
def test_errors_have_the_address_and_a_remedy(address: str, why: str) -> None:
    with pytest.raises(RunError, match=why) as caught:
        run(f'read("{address}") | same')
    assert repr(address) in str(caught.value) and caught.value.remedy
    if "*" not in address and "://" in address:
        with pytest.raises(ModelError) as model:
            mm.register("far", address.replace(".csv", ".joblib"))
        assert address.replace(".csv", ".joblib") in str(model.value) and model.value.remedy


@pytest.mark.slow
def test_errors_of_s3(served: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    reads = ['read("s3://none/x.csv")', 'read("s3://none/*.csv")']
    for text in (*reads, 'rows | write("s3://none/x.csv")'):
        with pytest.raises(RunError, match=r"'s3://none/[x*].csv': it does not exist"):
            run(text, names={"rows": [1]})
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free.getsockname()[1]}")
    with pytest.raises(RunError, match="'s3://other/x.csv': the server does not answer"):
        run('read("s3://other/x.csv")')
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("HOME", os.devnull)
    with pytest.raises(RunError, match="no credentials.*\n.*AWS_ACCESS_KEY_ID"):
        run('read("s3://another/x.csv")')
    with pytest.raises(ModelError, match="cannot register 's3://another/m.pt'.*no credentials"):
        mm.register("far", "s3://another/m.pt")


@pytest.mark.slow
def test_the_options_of_a_run_are_those_of_its_files(
    served: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    served.put("x.jsonl", b"7")
    options = {"s3_endpoint_url": os.environ["AWS_ENDPOINT_URL"], "s3_region_name": "us-east-1"}
    options |= {"s3_access_key_id": "a", "s3_secret_access_key": "b"}
    for name in ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    made = run(f'read("{served.base}/x.jsonl") | same', options=options)
    assert made["same"]["value"].tolist() == [7]


def test_file_addresses_are_paths(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_text("1\n")
    plan = sources.plan_path(f"file://{tmp_path}/x.jsonl", None)
    assert [part.path for part in plan.slices] == [str(tmp_path / "x.jsonl")]
    (tmp_path / "m.joblib").write_bytes(dumped(1.0))
    assert mm.register("near", f"file://{tmp_path}/m.joblib").path == str(tmp_path / "m.joblib")
