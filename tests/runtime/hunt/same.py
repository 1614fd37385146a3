"""Edits that change no answer: the same cells again, files with the same content, a new kernel."""

from __future__ import annotations

from tests.runtime.hunt import data, files, objects
from tests.runtime.hunt.edit import Edit, edited, followed, untouched

_CELLS = [
    *objects.IN_PLACE[::9],
    *(edit for edit in objects.MODULES[::4] if "computed" not in edit.kind),
    *data.IN_PLACE[::6],
    *data.FILES[:8:2],
]

AGAIN: list[Edit] = [
    *untouched(_CELLS),
    *followed(
        "same: made again",
        ("a = [1, 2]\ndef f(x): return a", "a = list(a)"),
        ("a = {'k': {1, 2}}\ndef f(x): return len(a['k'])", "a = {'k': {2, 1}}"),
        ("a = np.arange(3)\ndef f(x): return a.tolist()", "a = a.copy()"),
        ("a = pd.DataFrame({'k': [1]})\ndef f(x): return a.shape", "a = a.copy()"),
        ("import torch\na = torch.ones(2)\ndef f(x): return a.tolist()", "a = a.clone()"),
        ("data = [1, 2]\ndef f(x): return x", "data = [1, 2]"),
        ("data = np.arange(3)\ndef f(x): return int(x)", "data = data.copy()"),
        (
            "data = pd.DataFrame({'k': [1, 2]})\ndef f(row): return row['k']\n"
            "def truth(): return data['k'].tolist()",
            "data = data.copy()",
        ),
        ("a = [1, 2]\ndef f(x): return a", "a.append(3)\n_ = a.pop()"),
        expects="same",
    ),
    *followed(
        "same: what is not read",
        ("a = 1\ndef f(x): return x", "a = 2"),
        ("def g(x): return 1\ndef f(x): return x", "def g(x): return 2"),
        ("import os\ndef f(x): return x", "os.environ['HUNTED_UNREAD'] = '1'"),
        ("def f(x): return x", "put('other.txt', 'A')"),
        ("put('a.txt', 'A')\ndef f(x): return x", "put('a.txt', 'B')"),
        ("class A:\n k = 1\n j = 1\ndef f(x): return x", "A.j = 2"),
        ("import random\ndef f(x): return x", "random.seed(1)"),
        expects="same",
    ),
    *edited(
        "same: cell laid out anew",
        ("def f(x):\n return (x@@+ 1)", " ", "\n  "),
        ("def f(x):\n return x + 1@@", "", "\n\n\n# The end."),
        ("@@def f(x): return {'a': x, 'b': 1}", "", "# A dict.\n"),
        ("def f(x): return [@@x, 1]", "", "\n # first\n "),
        expects="same",
    ),
]

READ_AGAIN: list[Edit] = [*untouched(files.READERS[::6])]
