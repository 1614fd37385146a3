"""Sessions that CI does not run: tests with the pinned versions, and with the lowest Beam.

`python -m pip install nox`, then `nox -s pinned` or `nox -s lowest`. Arguments after `--` go to
pytest. Each session creates a virtual environment below `.nox/`.
"""

from __future__ import annotations

import nox

nox.options.sessions = ["lowest"]
nox.options.reuse_existing_virtualenvs = True

EXTRAS = "sklearn,onnx,huggingface,lightgbm,catboost,images,demo"
TOOLS = [
    "hypothesis",
    "openai",
    "pytest",
    "pytest-timeout",
    "pytest-xdist",
    "pyyaml",
    "xgboost-cpu",
]
"""The packages that the tests below `tests/runtime` need in addition to the extras."""
RUNS = [
    "branches",
    "cache",
    "coders",
    "compile",
    "equal_to_stock",
    "frames",
    "keyed",
    "metering",
    "models_run",
    "pairs",
    "passing_failures",
    "pickling",
    "run",
    "shards",
    "steps",
    "streaming",
    "streaming_run",
]
"""The tests of the code that depends most on Beam."""


@nox.session(python="3.11")
def pinned(session: nox.Session) -> None:
    """Run all tests with the versions of constraints.txt."""
    session.install("-c", "constraints.txt", "-e", ".[test]")
    session.run("python", "-m", "pytest", *session.posargs)


@nox.session(python="3.11")
def lowest(session: nox.Session) -> None:
    """Run the tests that run graphs, with the lowest Beam of setup.cfg and versions that fit it.

    This Beam does not fit any TensorFlow in the range of setup.cfg, nor the pinned JupyterLab.
    """
    session.install("-c", "constraints-lowest.txt", "-e", f".[{EXTRAS}]", *TOOLS)
    options = ["-n", "2", "--dist=loadscope", "-o", "addopts=", "--import-mode=importlib"]
    options += ["-m", "not slow and not own_process"]
    runs = [f"tests/runtime/test_{name}.py" for name in RUNS]
    tests = session.posargs or ["tests/unit/test_compat.py", *runs]
    # Google's libraries warn about the old grpcio, and these tests compare what is printed. One of
    # them starts its script in another environment.
    quiet = {"PYTHONWARNINGS": "ignore::FutureWarning"}
    options += [
        "--deselect",
        "tests/runtime/test_models_run.py::test_a_script_with_a_model_of_its_own",
    ]
    session.run("python", "-m", "pytest", *options, *tests, env=quiet)
