"""Text that users write in a magic's line: comments, expressions, quotes, misspelled options."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from IPython.core.error import UsageError

import mmnotebook as mm
from mmnotebook.ui.common.arguments import split_pipeline_line, words

WHERE = ("--where", "-w")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("mlp net # a comment, don't look", ["mlp", "net"]),
        ("mlp net #comment", ["mlp", "net"]),
        ("# nothing else", []),
        ("mlp path#row --input a#b", ["mlp", "path#row", "--input", "a#b"]),
        ("mlp 'a # b' # c", ["mlp", "a # b"]),
        ("mlp x'#'y", ["mlp", "x#y"]),
        ('mlp "" #', ["mlp", ""]),
    ],
)
def test_a_comment_ends_a_line_and_stands_alone(line: str, expected: list[str]) -> None:
    assert words(line) == expected


@given(st.text("ab 'x#", max_size=12), st.text(max_size=8).filter(lambda t: "\n" not in t))
def test_text_after_a_comment_sign_is_ignored(before: str, comment: str) -> None:
    try:
        bare = words(before + " ")
    except UsageError:
        return  # an unpaired quote
    assert words(f"{before} #{comment}") == bare


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("mlp --where prediction != label", "prediction != label"),
        ("mlp -w prediction != label -n 5", "prediction != label"),
        ("mlp --where prediction != label --result r # a comment", "prediction != label"),
        ("mlp --where name == 'a b'", "name == 'a b'"),
        ('mlp --where (label == 3) & (name == "x#y") -n 1', '(label == 3) & (name == "x#y")'),
        ("mlp --where label > -1", "label > -1"),
        ("mlp --where -label < 1", "-label < 1"),
        ("mlp -w -label < 1", "-label < 1"),
        ("mlp --where label==3", "label==3"),
        ("mlp -w label==3 and prediction==2", "label==3 and prediction==2"),
        ("mlp --where 'prediction != label' -n 5", "prediction != label"),
        ("-w 'prediction != label' mlp", "prediction != label"),
        ("mlp --where='-label < 1'", "-label < 1"),
        ("mlp --where '-label < 1'", "-label < 1"),
        ("mlp -w '-label < 1'", "-label < 1"),
        ("mlp", None),
    ],
)
def test_an_expression_needs_no_quotes(notebook: Any, line: str, expected: str | None) -> None:
    parser = notebook.shell.magics_manager.magics["line"]["mm_inspect"].parser
    args = parser.parse_args(words(line, WHERE))
    assert (args.node, args.where) == ("mlp", expected)


def test_the_readmes_expression_shows_the_same_rows(notebook: Any, two_models: None) -> None:
    notebook.run("%mm_pipeline ab digits | [mlp, tree] --run --limit 100 -o r  # a comment")
    quoted = notebook.run('%mm_inspect mlp -n 5 --where "prediction != label"')
    bare = notebook.run("%mm_inspect mlp -n 5 --where prediction != label  # as it is")
    text = bare.outputs[0].data["text/plain"]
    assert text == quoted.outputs[0].data["text/plain"]
    rows = mm.inspect(notebook.variables["r"], "mlp", n=5, where="prediction != label")
    assert text == repr(rows)


@pytest.mark.parametrize(
    ("line", "said", "text"),
    [
        ("ab digits | mlp --run # comment", ["--run", "ab"], "digits | mlp"),
        ('ab digits["a # b"] | mlp# c', ["ab"], 'digits["a # b"] | mlp'),
        (r'digits["a\" # b"] | mlp', [], r'digits["a\" # b"] | mlp'),
        ("ab --run # digits | mlp", ["--run", "ab"], ""),
        ("ab digits | mlp --limit -5 --run", ["--limit", "-5", "--run", "ab"], "digits | mlp"),
    ],
)
def test_a_pipeline_line_with_a_comment(line: str, said: list[str], text: str) -> None:
    assert split_pipeline_line(line) == (said, text)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("%mm_model mlp net --outptu argmax", "--outptu; did you mean --output?"),
        ("%mm_model mlp net --batchsize=3", "--batchsize; did you mean --batch?"),
        ("%mm_model mlp net --qqq", "--qqq; options: --framework, --class"),
        ("%mm_pipeline ab digits | halve --rnu", "--rnu; did you mean --run?"),
        ("%mm_pipeline ab digits | halve --rnu --limit 3", "--rnu; did you mean --run?"),
        ("%mm_pipeline ab digits | halve --run --limit -3", "'-3' is not a positive integer"),
        ("%%mm_pipeline ab --frehs\ndigits | halve", "--frehs; did you mean --fresh?"),
        ("%mm_run ab --max-faild 0.5", "--max-faild; did you mean --max-failed?"),
        ("%mm_run ab --max-failed -1", "'-1' is not a number from 0 to 1"),
        ("%mm_inspect mlp --were label == 3", "--were; did you mean --where?"),
        ("%mm_inspect mlp --where label == 3 --reslt r", "--reslt; did you mean --result?"),
        ("%mm_inspect mlp -x 3", "-x; options: -n, --where, -w, --result, -r"),
        (
            "%mm_inspect --where label == 3 mlp",
            "required: NODE; put the expression before it in quotes",
        ),
        ("%mm_trace 3 --relust r", "--relust; did you mean --result?"),
        ("%mm_plot latncy", "invalid choice: 'latncy'; allowed: latency, memory; did you mean"),
        ("%mm_model mlp net --device gpuu", "'gpuu'; allowed: CPU, GPU"),
        ("%mm_doctor --all", "--all; options: none"),
        ("%mm_export ab a.py --moed plain", "--moed; did you mean --mode?"),
        ("%mm_export ab a.txt", "'a.txt' ends in '.txt'; allowed: .py, .mmgraph, .mmcapsule"),
        ("%mm_export ab a.mmgraph --mode plain", "--mode does not apply to a .mmgraph file"),
        ("%mm_builder --new", "--new; options: none"),
        ("%mm_inspect mlp 'x", "a quote is not closed"),
        ("%mm_model mlp don't", "a quote is not closed"),
    ],
)
def test_a_misspelled_option_gets_the_nearest_name(notebook: Any, line: str, message: str) -> None:
    error, printed = notebook.fail(line)
    assert isinstance(error, UsageError)
    assert message in printed
    assert len(printed.splitlines()) == 1


def test_a_value_in_quotes_may_begin_with_a_dash(notebook: Any) -> None:
    assert words("'-a b' --params '-x' -n '-y'") == ["--params=-x", "-n-y", "--", "-a b"]
    notebook.run("def halve(v):\n    return v\nd = {'x': 1}\ng = mm.pipeline('d | halve', d=[1])")
    notebook.run("r = mm.run(g, progress=False)")
    for line in ("%mm_trace -5", "%mm_trace '-five'"):
        error, _ = notebook.fail(line)
        assert isinstance(error, mm.MMError), error  # no element has this id


def test_a_comment_alone_shows_the_models(notebook: Any) -> None:
    assert len(notebook.run("%mm_model  # which are there?").outputs) == 1


def test_the_first_line_of_a_cell_may_have_a_comment(notebook: Any) -> None:
    text = 'digits["x"] | halve  # the text has its own'
    notebook.run(f'%%mm_pipeline ab --run  # runs "it\n{text}\n')
    assert notebook.variables["ab"].names == ("digits", "halve")
