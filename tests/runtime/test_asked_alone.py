"""A remote model receives one element per call, and no element twice."""

from __future__ import annotations

import socket
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, ClassVar

import numpy as np
import pytest
from apache_beam.ml.inference.base import RemoteModelHandler

import mmnotebook as mm
from mmnotebook.results.results import Result

ROWS = [*range(40), -1, *range(40, 80)]


@pytest.fixture
def port() -> Iterator[int]:
    """Start a server on this machine."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            connection.close()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield listener.getsockname()[1]
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join(20)


class Calls:
    """Records the inputs of the models of this module."""

    batches: ClassVar[list[list[int]]] = []

    @classmethod
    def note(cls, batch: Iterable[Any]) -> list[int]:
        cls.batches.append([int(np.ravel(row)[0]) for row in batch])
        if -1 in cls.batches[-1]:
            raise ValueError("not this one")
        return cls.batches[-1]

    @classmethod
    def times(cls) -> Counter[int]:
        return Counter(row for batch in cls.batches for row in batch)


@pytest.fixture(autouse=True)
def nothing_asked() -> None:
    Calls.batches.clear()


def connect(port: int) -> None:
    socket.create_connection(("127.0.0.1", port), timeout=10).close()


class Connects:
    """A model that connects to a server in each call."""

    def __init__(self, port: int) -> None:
        self.port = port

    def predict(self, batch: Any) -> Any:
        connect(self.port)
        return [f"{row}!" for row in Calls.note(batch)]


class ConnectsLater(Connects):
    """A model that answers the first element without a connection."""

    def predict(self, batch: Any) -> Any:
        if list(batch) != [0]:
            connect(self.port)
        return [f"{row}!" for row in Calls.note(batch)]


class Columns(Connects):
    """A model whose output for one element does not show which axis is the batch."""

    def predict(self, batch: Any) -> Any:
        return np.array(super().predict(batch)).reshape(-1, 1)


class Service(RemoteModelHandler[Any, str, str]):
    """A remote handler as Beam's users write them."""

    def __init__(self, most: int | None = None) -> None:
        super().__init__("Service", num_retries=0)
        self.most = most

    def create_client(self) -> str:
        return "client"

    def request(self, batch: Sequence[Any], model: str, inference_args: Any = None) -> list[str]:
        return [f"{row}!" for row in Calls.note(batch)]

    def batch_elements_kwargs(self) -> dict[str, int]:
        return {} if self.most is None else {"max_batch_size": self.most}


def run_graph(rows: Sequence[int] = ROWS, text: str = "rows | m") -> Result:
    return mm.run(mm.pipeline(text, rows=list(rows)), max_failed=1.0, progress=False)


def is_right(result: Result) -> bool:
    answers = [f"{row}!" for row in ROWS if row >= 0]
    given = [np.ravel(value)[0] for value in result["m"]["prediction"]]
    return given == answers and result.failed["id"].tolist() == ["40"]


@pytest.mark.parametrize("kind", ["found out", "said", "Beam's"])
def test_only_the_bad_element_fails(port: int, kind: str) -> None:
    if kind == "Beam's":
        mm.register("m", Service())
    else:
        mm.register("m", Connects(port), remote=True if kind == "said" else None)
    assert is_right(run_graph())
    assert set(map(len, Calls.batches)) == {1}
    assert set(Calls.times().values()) == {1}


def test_two_elements_are_sent_if_one_does_not_show_the_batch_axis(port: int) -> None:
    mm.register("m", Columns(port))
    assert is_right(run_graph())
    assert [len(batch) for batch in Calls.batches] == [1, 2, *[1] * 78]


def test_a_given_batch_size_is_used(port: int) -> None:
    mm.register("m", Connects(port), batch_size=20)
    result = run_graph(range(41))
    assert len(result["m"]) == 41
    assert [len(batch) for batch in Calls.batches] == [1, 20, 20]
    Calls.batches.clear()
    mm.register("own", Service(most=10))
    assert len(run_graph(range(41), "rows | own")["own"]) == 41
    assert [len(batch) for batch in Calls.batches] == [1, 10, 10, 10, 10]


def test_a_batch_that_raises_is_sent_again_one_by_one(port: int) -> None:
    mm.register("m", Connects(port), batch_size=20)
    assert is_right(run_graph())
    # The elements of the failed batch, 21 to 40, are sent once more, one by one.
    assert set(Calls.times().values()) == {1, 2}
    assert sum(Calls.times().values()) == len(ROWS) + 20


def test_a_late_connection_is_noticed_when_a_batch_fails(port: int) -> None:
    mm.register("m", ConnectsLater(port))
    assert is_right(run_graph())
    assert [len(batch) for batch in Calls.batches].count(1) >= 64
    # Sent twice for the probe, before the first connection; never sent again in halves.
    assert Calls.times()[39] <= 2 and Calls.times()[79] == 1


def test_a_local_model_receives_full_batches() -> None:
    class Here:
        def predict(self, batch: Any) -> Any:
            return [f"{row}!" for row in Calls.note(batch)]

    mm.register("m", Here())
    assert is_right(run_graph())
    assert max(map(len, Calls.batches)) == 64
