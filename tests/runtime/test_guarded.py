"""A model after a switch that another model's output controls: one warning, and its remedy."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

import mmnotebook as mm

REVIEWS = pd.DataFrame({"text": [f"text {n} is {'good' if n % 3 else 'bad'}" for n in range(9)]})
TEXT = 'reviews["text"] | guard | switch(route, answer=answer, refuse=refuse)'


def answer(batch: list[Any]) -> list[Any]:
    return [{"saw": str(text)} for text in batch]


def is_bad(text: Any) -> bool:
    return "bad" in str(text)


def route(verdict: Any) -> str:
    found = verdict.inference
    found = found["label"] if isinstance(found, dict) else found
    return "refuse" if found in (True, "refuse", "BAD", 1) else "answer"


def refuse(verdict: Any) -> str:
    return f"I cannot: {verdict.model_id}"


def truths(batch: list[Any]) -> list[Any]:
    return [is_bad(text) for text in batch]


def branches(batch: list[Any]) -> list[Any]:
    return ["refuse" if is_bad(text) else "answer" for text in batch]


def labels(batch: list[Any]) -> list[Any]:
    return ["BAD" if is_bad(text) else "GOOD" for text in batch]


def scored(batch: list[Any]) -> list[Any]:
    return [{"label": "BAD" if is_bad(text) else "GOOD", "score": 0.9} for text in batch]


def classes(batch: list[Any]) -> list[Any]:
    return [int(is_bad(text)) for text in batch]


def run_with_warnings(text: str, **names: Any) -> tuple[list[str], Any]:
    """Return the warnings of a run, and its result or error."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            found: Any = mm.run(mm.pipeline(text, **names), progress=False)
        except mm.RunError as error:
            found = error
    return [str(one.message) for one in caught if "after the switch" in str(one.message)], found


def lines_of(message: str) -> str:
    return "\n".join(line.strip() for line in message.split("\n") if line.startswith("    "))


@pytest.mark.parametrize("guard", [truths, branches, labels, scored, classes])
def test_a_model_that_gets_a_verdict_is_warned_of_once_with_a_working_remedy(guard: Any) -> None:
    mm.register("answer", answer, framework="python")
    mm.register("guard", guard, framework="python")
    names = {"reviews": REVIEWS, "route": route, "refuse": refuse}
    (message,), _ = run_with_warnings(TEXT, **names)
    assert message.startswith(
        "'answer' after the switch 'switch' received the output of 'guard', such as "
    )
    lines = lines_of(message)
    assert lines.count("\n") == 1
    again, result = run_with_warnings(lines, **names)
    assert not again
    good = [text for text in REVIEWS["text"] if not is_bad(text)]
    assert sorted(one["saw"] for one in result["answer"]["prediction"]) == good
    assert list(result["refuse"]["value"]) == ["I cannot: guard"] * 3


def test_a_cached_run_warns_too() -> None:
    mm.register("answer", answer, framework="python")
    mm.register("guard", truths, framework="python")
    names = {"reviews": REVIEWS, "route": route, "refuse": refuse}
    first, _ = run_with_warnings(TEXT, **names)
    again, result = run_with_warnings(TEXT, **names)
    assert result.nodes["cached"].all() and first == again


def test_models_on_every_branch_and_steps_between() -> None:
    mm.register("answer", answer, framework="python")
    mm.register("deny", answer, framework="python")
    mm.register("guard", labels, framework="python")
    text = (
        "clean = reviews['text'] | loud\n"
        "kept = clean | guard | filter(bool)\n"
        "kept | switch(route, answer=answer, refuse=deny) | map(repr)"
    )
    names = {"reviews": REVIEWS, "route": route, "loud": loud}
    (message,), _ = run_with_warnings(text, **names)
    assert "'answer' and 'deny' after the switch" in message
    _, result = run_with_warnings(lines_of(message), **names)
    saw = [one["saw"] for name in ("answer", "deny") for one in result[name]["prediction"]]
    assert sorted(saw) == sorted(map(loud, REVIEWS["text"]))


def loud(text: str) -> str:
    return f"{text}!"


def test_a_vote_is_a_verdict() -> None:
    mm.register("answer", answer, framework="python")
    mm.register("g1", labels, framework="python")
    mm.register("g2", labels, framework="python")
    text = 'reviews["text"] | [g1, g2] | vote() | switch(by_label, answer=answer, refuse=map(repr))'
    names = {"reviews": REVIEWS, "by_label": by_label}
    (message,), _ = run_with_warnings(text, **names)
    _, result = run_with_warnings(lines_of(message), **names)
    good = [one for one in REVIEWS["text"] if not is_bad(one)]
    assert sorted(one["saw"] for one in result["answer"]["prediction"]) == good


def by_label(label: Any) -> str:
    return "refuse" if label == "BAD" else "answer"


def test_a_model_that_fails_on_every_verdict_is_told_of() -> None:
    torch.manual_seed(0)
    mm.register("guard", torch.nn.Linear(4, 2))
    mm.register("head", torch.nn.Linear(4, 3))
    data = {"xs": [np.ones(4, dtype=np.float32) * n for n in range(6)], "side": side, "rest": rest}
    (message,), error = run_with_warnings("xs | guard | switch(side, a=head, b=rest)", **data)
    assert isinstance(error, mm.RunError) and "'head' after the switch" in message
    _, result = run_with_warnings(lines_of(message), **data)
    assert len(result["head"]) + len(result["rest"]) == 6


def side(scores: Any) -> str:
    return "a" if float(scores.inference[0]) > -100 else "b"


def rest(scores: Any) -> int:
    return 0


def encoded(batch: list[Any]) -> list[Any]:
    return [np.array([len(text), text.count("o"), 1.0]) for text in batch]


def upper(batch: list[Any]) -> list[Any]:
    return [text.upper() for text in batch]


def any_side(made: Any) -> str:
    return "answer" if len(str(made.inference)) % 2 else "refuse"


@pytest.mark.parametrize("first", [encoded, upper])
def test_the_input_of_the_next_model_is_not_a_verdict(first: Any) -> None:
    mm.register("answer", answer, framework="python")
    mm.register("first", first, framework="python")
    text = 'reviews["text"] | first | switch(any_side, answer=answer, refuse=refuse)'
    found, result = run_with_warnings(text, reviews=REVIEWS, any_side=any_side, refuse=refuse)
    assert not found and isinstance(result, mm.Result)


def test_an_explicit_input_does_not_warn() -> None:
    mm.register("answer", answer, framework="python")
    mm.register("field", answer, framework="python", input="label")
    mm.register("guard", scored, framework="python")
    names = {"reviews": REVIEWS, "route": route, "refuse": refuse}
    for branch in ("field", "map(part) | answer", "answer"):
        text = f'reviews["text"] | guard | switch(route, answer={branch}, refuse=refuse)'
        found, _ = run_with_warnings(text, **names, **({"part": part} if "part" in branch else {}))
        assert bool(found) == (branch == "answer")
    text = 's = reviews["text"] | guard | switch(route, ["answer", "refuse"])\n'
    found, result = run_with_warnings(
        f'{text}s.answer["label"] | answer', reviews=REVIEWS, route=route
    )
    assert not found
    assert {one["saw"] for one in result["answer"]["prediction"]} == {"GOOD"}


def part(verdict: Any) -> Any:
    return verdict.inference["label"]
