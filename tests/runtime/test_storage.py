"""Private folders: one per process, removed when the process is dead, but not before."""

from __future__ import annotations

import gc
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mmnotebook import storage

HOLD = """
import sys
from mmnotebook import storage
print(storage.session_folder(), flush=True)
sys.stdin.readline()
"""
MAKE = "from mmnotebook import storage; print(storage.session_folder())"
FORK = """
import os, sys
from mmnotebook import storage
parent = storage.new_folder("run")
child = os.fork()
if child == 0:
    print(storage.session_folder() != parent.parent, flush=True)
    sys.exit(0)
os.waitpid(child, 0)
print(parent.is_dir())
"""


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """Start a process that has a folder."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    assert process.stdout is not None
    folder = Path(process.stdout.readline().strip())
    yield process, folder
    process.kill()
    process.communicate()


def python(code: str, folder: Path) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, "TMPDIR": str(folder)},
        check=True,
    )
    return done.stdout.split()


def test_a_folder_lives_as_long_as_its_process(
    holder: tuple[subprocess.Popen[str], Path], tmp_path: Path
) -> None:
    process, folder = holder
    assert folder.parent == tmp_path
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    (other,) = python(MAKE, tmp_path)
    assert folder.is_dir()  # the second process cleaned up, but kept the folder of the living one
    assert not Path(other).exists()  # and removed its own folder
    process.kill()
    process.communicate()
    assert folder.is_dir()  # a killed process cannot clean up
    python(MAKE, tmp_path)
    assert not folder.exists()


def test_a_process_that_ends_removes_its_folder(
    holder: tuple[subprocess.Popen[str], Path],
) -> None:
    process, folder = holder
    process.communicate("\n")
    assert not folder.exists()


def test_many_processes_at_once_do_not_sweep_each_other(tmp_path: Path) -> None:
    code = MAKE + "; assert storage.new_folder('x').is_dir()"
    env = {**os.environ, "TMPDIR": str(tmp_path)}
    made = [subprocess.Popen([sys.executable, "-c", code], env=env) for _ in range(4)]
    assert [process.wait() for process in made] == [0] * 4
    assert list(tmp_path.iterdir()) == []


def test_folders_that_are_not_ours_are_kept(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / ".lock").touch()
    (tmp_path / "mmnotebook-link").symlink_to(elsewhere)
    (tmp_path / "mmnotebook-notes.txt").write_text("mine")
    project = tmp_path / "mmnotebook-projects"
    for mine in (project, tmp_path / "mmnotebook-project1"):
        mine.mkdir()
        (mine / "thesis.txt").write_text("mine")
        os.utime(mine, (0, 0))
    python(MAKE, tmp_path)
    assert (tmp_path / "mmnotebook-project1" / "thesis.txt").exists()
    assert elsewhere.is_dir() and (tmp_path / "mmnotebook-notes.txt").exists()
    assert (project / "thesis.txt").exists()


def test_a_forked_child_has_a_folder_of_its_own(tmp_path: Path) -> None:
    assert python(FORK, tmp_path) == ["True", "True"]
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_removed_with_its_owner() -> None:
    class Owner:
        pass

    owner, folder = Owner(), storage.new_folder("test")
    storage.remove_with(owner, folder)
    assert folder.is_dir()
    del owner
    gc.collect()
    assert not folder.exists()


def test_private_files_and_their_fingerprints() -> None:
    folder = storage.new_folder("test")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    for name in ("a", "b"):
        with storage.create_private(folder / name) as file:
            file.write(b"x" * 3_000_000)
    assert stat.S_IMODE((folder / "a").stat().st_mode) == 0o600
    one = storage.fingerprint(folder / "a")
    assert len(one) == 32 and storage.fingerprint(folder / "b") == one
    (folder / "b").write_bytes(b"x")
    assert storage.fingerprint(folder / "b") != one
