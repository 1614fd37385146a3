"""`mm.doctor()` and `python -m mmnotebook doctor`."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import pytest

import mmnotebook as mm
from mmnotebook.__main__ import main
from mmnotebook.errors import StorageError
from mmnotebook.store.store import Store
from mmnotebook.ui.doctor import Check, DoctorReport

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a Python without any of the packages."""
    folder = tmp_path_factory.mktemp("bare")
    venv.create(folder, with_pip=False, symlinks=True)
    return folder / "bin" / "python"


def command(python: Path | str, argv: Sequence[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(python), "-m", "mmnotebook", *argv],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
    )


def test_it_finds_what_is_installed() -> None:
    report = mm.doctor()
    checks = {check.what: check for check in report.checks}
    assert report.ok
    for name in ("apache-beam", "torch", "pandas", "pyarrow", "scikit-learn", "transformers"):
        assert (checks[name].state, checks[name].found) == ("ok", version(name))
    for name in ("xgboost", "tensorflow"):  # or the CPU build
        assert checks[name].state == "ok" and checks[name].found[0].isdigit()
    assert checks["Python"].state == "ok"
    assert checks["free memory"].found.endswith("GiB")
    assert {"CUDA device", "free disk", "private files", "cache", "environment"} <= set(checks)


def test_its_text_and_its_table_hold_every_check() -> None:
    report = mm.doctor()
    html = report._repr_html_()
    assert html is not None
    assert len(repr(report).splitlines()) == len(report.checks) + 1
    assert html.count("<tr>") == len(report.checks) + 1
    for check in report.checks:
        assert check.what in repr(report)
        assert check.what in html


def test_its_table_is_escaped() -> None:
    report = DoctorReport((Check("<b>", "note", "<script>", "&", required=True),))
    html = report._repr_html_()
    assert html is not None
    assert "<b>" not in html
    assert "<script>" not in html


def test_only_required_packages_decide_the_exit_status() -> None:
    optional = Check("pillow", "missing", "–", "images")
    assert DoctorReport((optional,)).ok
    assert not DoctorReport((optional, Check("torch", "missing", "–", "", required=True))).ok


def test_a_shared_temporary_folder_is_noted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tmp_path.chmod(0o777)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    checks = {check.what: check for check in mm.doctor().checks}
    assert checks["private files"].state == "note"
    assert "TMPDIR" in checks["private files"].remedy


def cache_check() -> Check:
    (check,) = (check for check in mm.doctor().checks if check.what == "cache")
    return check


def test_the_cache_is_checked_but_not_created(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "not" / "there"
    monkeypatch.setenv("MMNOTEBOOK_CACHE", str(folder))
    assert cache_check() == Check(
        "cache",
        "ok",
        f"0.0 GiB in {folder}",
        "outputs of nodes, so that nothing is computed twice",
        required=True,
    )
    assert not folder.parent.exists()
    folder.mkdir(0o700, parents=True)
    with (folder / "sparse").open("wb") as file:
        file.truncate(3 << 30)
    assert cache_check().found == f"3.0 GiB in {folder}"


def test_a_cache_that_runs_cannot_use_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    for folder in (tmp_path / "file", tmp_path / "file" / "cache", shared):
        monkeypatch.setenv("MMNOTEBOOK_CACHE", str(folder))
        check = cache_check()
        assert check.state == "missing" and check.required
        with pytest.raises(StorageError) as caught:
            Store(folder)
        assert (check.found, check.remedy) == (caught.value.message, caught.value.remedy)
    assert not mm.doctor().ok


def test_the_command_prints_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor"]) == 0
    assert "apache-beam" in capsys.readouterr().out


def test_the_command_where_everything_is_missing(bare: Path) -> None:
    done = command(bare, ["doctor"])
    assert done.returncode == 1
    assert not done.stderr
    rows = {line.split()[0]: line for line in done.stdout.splitlines()}
    assert "missing" in rows["torch"] and 'pip install "mmnotebook"' in rows["torch"]
    assert 'pip install "mmnotebook[sklearn]"' in rows["scikit-learn"]


def test_the_demo_where_everything_is_missing(bare: Path) -> None:
    done = command(bare, ["demo"])
    assert done.returncode == 1
    assert 'python -m pip install "mmnotebook[demo]"' in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("argv", [[], ["demmo"], ["demo", "--outt", "x"], ["doctor", "x"]])
def test_a_wrong_command_shows_the_usage(argv: list[str]) -> None:
    done = command(sys.executable, argv)
    assert done.returncode == 2
    assert "usage: python -m mmnotebook" in done.stderr
