"""Edits of functions, as cells of a notebook: those that change the results of f, and others.

In a cell, and in the files of its modules, `@@` marks the edited text.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Edit:
    """One edit of a cell that defines f, or of a module that it uses.

    Attributes
    ----------
    kind
        What is edited.
    text
        The cell.
    one, other
        The text at `@@` before and after.
    files
        Texts of the user's modules, by name.
    """

    kind: str
    text: str
    one: str
    other: str
    files: dict[str, str] = field(default_factory=dict)

    def cell(self, after: bool, folder: Path) -> dict[str, Any]:
        """Return the notebook's variables before or after the edit, with its modules reloaded."""
        chosen = self.other if after else self.one
        names: dict[str, Any] = {"__name__": "__main__"}
        for name, text in self.files.items():
            (folder / f"{name}.py").write_text(text.replace("@@", chosen))
            sys.modules.pop(name, None)
        importlib.invalidate_caches()
        code = compile(self.text.replace("@@", chosen), "<cell>", "exec", dont_inherit=True)
        exec(code, names)
        return names

    def unload(self) -> None:
        for name in self.files:
            sys.modules.pop(name, None)


def rows(kind: str, *rows: tuple[str, str, str]) -> Iterator[Edit]:
    for text, one, other in rows:
        yield Edit(kind, text, one, other)


def _of_modules() -> Iterator[Edit]:
    own = "K = @@\ndef clean(x): return x + K\ndef other(x): return x\nclass Row:\n k = K\n"
    uses = {
        "module": "import own\ndef f(x): return own.clean(x)",
        "module under another name": "import own as o\ndef f(x): return [o.clean(y) for y in [x]]",
        "function of a module": "from own import clean\ndef f(x): return clean(x)",
        "star import": "from own import *\ndef f(x): return clean(x)",
        "import inside": "def f(x):\n import own\n return own.clean(x)",
        "import of a function inside": "def f(x):\n from own import clean as c\n return c(x)",
        "constant of a module": "import own\ndef f(x): return own.K",
        "class of a module": "import own\ndef f(x): return own.Row.k",
        "module passed on": "import own\ndef g(m, x): return m.clean(x)\n"
        "def f(x): return g(own, x)",
        "module in a list": "import own\nSTEPS = [own]\ndef f(x): return STEPS[0].clean(x)",
        "module in a dict": "import own\nSTEPS = {'a': own}\ndef f(x): return STEPS['a'].clean(x)",
        "module as a default": "import own\ndef f(x, m=own): return m.clean(x)",
        "module in a closure": "import own\ndef make(m):\n def f(x): return m.clean(x)\n"
        " return f\nf = make(own)",
        "module passed on in a closure": "import own\ndef g(m, x): return m.clean(x)\n"
        "def make(m):\n def f(x): return g(m, x)\n return f\nf = make(own)",
        "module as an attribute": "import own\nclass A: pass\na = A()\na.m = own\n"
        "def f(x): return a.m.clean(x)",
        "module of a class": "import own\nclass A: m = own\ndef f(x): return A.m.clean(x)",
        "module chosen by a branch": "import own, json\ndef f(x):\n m = own if x else json\n"
        " return m.clean(x)",
        "module kept under a name and passed on": "import own\ndef g(m, x): return m.clean(x)\n"
        "def f(x):\n m = own\n return g(m, x)",
        "module kept twice": "import own\ndef g(m): return m.clean\n"
        "def f(x):\n m = own\n n = m\n return g(n)(x)",
        "module imported inside and passed on": "def g(m, x): return m.clean(x)\n"
        "def f(x):\n import own\n return g(own, x)",
        "module in a comprehension": "import own\ndef f(x): return [m.clean(x) for m in [own]]",
        "getattr on a module": "import own\nMODE = 'clean'\ndef f(x): return getattr(own, MODE)(x)",
        "vars of a module": "import own\nMODE = 'clean'\ndef f(x): return vars(own)[MODE](x)",
        "__dict__ of a module": "import own\nMODE = 'clean'\n"
        "def f(x): return own.__dict__[MODE](x)",
        "attrgetter of a module": "import own, operator\nget = operator.attrgetter('clean')\n"
        "def f(x): return get(own)(x)",
        "getattr inside a helper": "import own\ndef pick(m, n): return getattr(m, n)\n"
        "def f(x): return pick(own, 'cle' + 'an')(x)",
        "partial of a module's function": "import own, functools\nf = functools.partial(own.clean)",
        "method handed on": "import own\ndef f(x): return list(map(own.clean, [x]))",
        "module returned by a function": "import own\ndef which(): return own\n"
        "def f(x): return which().clean(x)",
        "module unpacked": "import own\ndef f(x):\n a, b = own, 1\n return a.clean(x) + b",
        "module by walrus": "import own\ndef f(x): return (m := own).clean(x)",
        "module in a try": "def f(x):\n try:\n  import own\n except ImportError:\n  return 0\n"
        " return own.clean(x)",
    }
    for kind, cell in uses.items():
        yield Edit(kind, cell, "1", "2", {"own": own})
    deep = {"own": "import deeper\ndef clean(x): return deeper.add(x)\n"}
    deep["deeper"] = "K = @@\ndef add(x): return x + K\n"
    yield Edit("module of a module", uses["module"], "1", "2", deep)
    yield Edit("module of a module passed on", uses["module passed on"], "1", "2", deep)
    chained = "import own\ndef f(x): return own.deeper.add(x)"
    yield Edit("chain of modules", chained, "1", "2", deep)
    lazy = {"own": "def __getattr__(name):\n return lambda x: x + @@\n"}
    yield Edit("__getattr__ of a module", uses["module"], "1", "2", lazy)
    said = {"own": "'''@@'''"}
    yield Edit("__doc__ of a module", "import own\ndef f(x): return own.__doc__", "A", "B", said)
    extra = {"own": "def clean(x): return x\n@@"}
    yield Edit("names of a module", "import own\ndef f(x): return dir(own)[-1]", "", "z = 1", extra)
    base = {"own": "class Base:\n def go(self, x): return x + @@\n"}
    sub = "import own\nclass A(own.Base): pass\n"
    yield Edit("inherited method", sub + "def f(x): return A().go(x)", "1", "2", base)
    sub += "class B(A):\n def go(self, x): return super().go(x)\nb = B()\n"
    yield Edit("super", sub + "def f(x): return b.go(x)", "1", "2", base)


_DATA = "import dataclasses as d\n@d.dataclass\nclass S:\n k: int = 0\n"

CHANGES = [
    *_of_modules(),
    *rows(
        "operators and constants",
        ("def f(x): return x + @@", "1", "2"),
        ("def f(x): return x + @@", "1", "1.0"),
        ("def f(x): return @@", "1", "True"),
        ("def f(x): return @@", "0.0", "-0.0"),
        ("def f(x): return @@", "1e999", "-1e999"),
        ("def f(x): return @@", "'a'", "b'a'"),
        ("def f(x): return @@", "(1, 2)", "[1, 2]"),
        ("def f(x): return @@", "None", "..."),
        ("def f(x): return @@", "1j", "-1j"),
        ("def f(x): return x @@ 2", "+", "-"),
        ("def f(x): return x @@ 3", "<", "<="),
        ("def f(x): return x @@ 3", "==", "!="),
        ("def f(x): return x @@ (3,)", "in", "not in"),
        ("def f(x): return x @@ None", "is", "is not"),
        ("def f(x): return @@x", "-", "~"),
        ("def f(x): return @@", "x and 0", "x or 0"),
        ("def f(x): return x.@@", "real", "imag"),
        ("def f(x): return x.@@()", "bit_length", "conjugate"),
        ("def f(x): return list(range(9))[@@]", "1:3", "1:4"),
        ("def f(x): return @@", "{'a': x, 'b': 1}", "{'b': 1, 'a': x}"),
        ("def f(x): return list(@@)", "{8, 0}", "{0, 8}"),
        ("def f(x): return [y for y in @@]", "{8, 0}", "{0, 8}"),
        ("def f(x): return x in @@", "{3, 'a'}", "{4, 'a'}"),
    ),
    *rows(
        "branches and loops",
        ("def f(x): return 1 if x @@ 2 else 2", ">", "<"),
        ("def f(x):\n for y in range(x):\n  if y == 1: @@\n return y", "break", "continue"),
        ("def f(x):\n n = 0\n while n < x: n += @@\n return n", "1", "2"),
        ("def f(x):\n y = 1\n @@y = 2\n return y", "if x > 9: ", ""),
        ("def f(x):\n a, b = 1, 2\n return @@", "a", "b"),
        ("def f(x):\n a, b = 1, 2\n @@\n return a - b", "a = b", "b = x"),
        ("def f(x):\n (a, b) = @@\n return a", "(1, 2)", "(2, 1)"),
        ("def f(x):\n a, *b = range(x)\n return @@", "a", "b"),
        ("def f(x):\n x = [x]\n @@ x[0]\n return x", "x[0];", "del"),
    ),
    *rows(
        "exceptions",
        (
            "def f(x):\n try: return x / 0\n except @@: return 1\n except Exception: return 2",
            "ZeroDivisionError",
            "ValueError",
        ),
        ("def f(x):\n try: return x\n finally:\n  @@", "pass", "return 9"),
        ("def f(x):\n assert x @@ 9, 'no'\n return x", "<", ">"),
        ("def f(x): raise ValueError('@@')", "a", "b"),
        ("class E(@@): pass\ndef f(x): return issubclass(E, KeyError)", "KeyError", "OSError"),
        (
            "import contextlib as c\ndef f(x):\n with c.suppress(@@): x / 0\n return 1",
            "ZeroDivisionError",
            "KeyError",
        ),
    ),
    *rows("walrus", ("def f(x): return (y := x + @@) * y", "1", "2")),
    *rows(
        "match",
        ("def f(x):\n match x:\n  case @@: return 1\n  case _: return 2", "3", "4"),
        ("def f(x):\n match [x]:\n  case [@@]: return 1\n  case _: return 2", "int()", "str()"),
        ("def f(x):\n match {'a': x}:\n  case {'@@': y}: return y\n  case _: return 2", "a", "b"),
        ("def f(x):\n match x:\n  case y if y > @@: return 1\n  case _: return 2", "1", "4"),
        (
            "class P:\n __match_args__ = ('@@',)\n a, b = 1, 2\n"
            "def f(x):\n match P():\n  case P(y): return y",
            "a",
            "b",
        ),
    ),
    *rows(
        "f-strings",
        ("def f(x): return f'{x:@@}'", "3", "4"),
        ("def f(x): return f'{str(x)!@@}'", "s", "r"),
        ("def f(x): return f'@@{x}'", "a", "b"),
        ("w = @@\ndef f(x): return f'{x:{w}}'", "3", "4"),
    ),
    *rows(
        "comprehensions and generators",
        ("def f(x): return [y for y in range(x) if y @@ 1]", ">", "<"),
        ("def f(x): return [y + @@ for y in range(x)]", "1", "2"),
        ("def f(x): return {y: @@ for y in range(x)}", "1", "2"),
        ("def f(x): return sum(y * @@ for y in range(x))", "1", "2"),
        ("def f(x): return @@", "[y for y in range(x)]", "{y for y in range(x)}"),
        ("def g(x):\n yield x\n @@\ndef f(x): return list(g(x))", "yield 2", "return 2"),
        ("def g(x): @@\ndef f(x): return list(g(x))", "yield from range(x)", "yield range(x)"),
        ("k = @@\ndef f(x): return [[k * z for z in range(y)] for y in range(x)]", "1", "2"),
    ),
    *rows(
        "defaults",
        ("def f(x, y=@@): return x + y", "1", "2"),
        ("def f(x, *, y=@@): return x + y", "1", "2"),
        ("def g(x, y=@@): return x + y\ndef f(x): return g(x)", "1", "2"),
        ("def g(x, *, y=@@): return x + y\ndef f(x): return g(x)", "1", "2"),
        ("D = {'k': @@}\ndef f(x, d=D): return d['k']", "1", "2"),
        ("def f(x):\n def g(y=@@): return y\n return g()", "1", "2"),
        ("def g(x): return x\ng.__defaults__ = (@@,)\ndef f(x): return g()", "1", "2"),
    ),
    *rows(
        "parameters",
        ("def g(@@): return a - b\ndef f(x): return g(x, 1)", "a, b", "b, a"),
        ("def g(@@): return a - b\ndef f(x): return g(a=x, b=1)", "a, b", "b, c, a=9"),
        ("def g(x, @@): return y\ndef f(x): return g(1, y=2)", "y", "**y"),
        ("def g(@@): return x\ndef f(x): return g(x)", "x", "*x"),
        ("def g(x, @@y=2): return y\ndef f(x): return g(x, x)", "", "*, "),
        ("def g(@@=2): return 1\nD = {'y': 1}\ndef f(x): return g(**D)", "y", "z"),
        ("def g(@@=2): return 1\ndef f(x): return g(y=1)", "y", "z"),
        ("def g(@@=2): return 1\ndef h(**k): return g(**k)\ndef f(x): return h(y=1)", "y", "z"),
        ("def g(*, @@=2): return 1\nh = g\ndef f(x): return h(y=1)", "y", "z"),
        ("class A:\n def go(self, @@=2): return 1\ndef f(x): return A().go(y=1)", "y", "z"),
        ("class A:\n def __init__(self, @@=2): pass\ndef f(x): return A(y=1) and 1", "y", "z"),
    ),
    *rows(
        "globals",
        ("a = @@\ndef f(x): return x + a", "1", "2"),
        ("a = @@\ndef f(x): return a", "1", "True"),
        ("a = @@\ndef f(x): return a", "0.0", "-0.0"),
        ("a = @@\ndef f(x): return a == a", "1.0", "float('nan')"),
        ("a = @@\ndef f(x): return a", "'1'", "1"),
        ("a = @@\ndef f(x): return a", "[1, 2]", "(1, 2)"),
        ("a = @@\ndef f(x): return list(a)", "{'p': 1, 'q': 2}", "{'q': 2, 'p': 1}"),
        ("a = @@\ndef f(x): return list(a)", "{8, 0}", "{0, 8}"),
        ("a = @@\ndef f(x): return x in a", "{3}", "{4}"),
        ("a = {'b': [{'c': @@}]}\ndef f(x): return a['b'][0]['c']", "1", "2"),
        ("a = range(@@)\ndef f(x): return len(a)", "2", "3"),
        ("a = slice(@@)\ndef f(x): return [1, 2, 3][a]", "1", "2"),
        ("def g(x): return x + a\na = @@\ndef f(x): return g(x)", "1", "2"),
        ("a = 1\na += @@\ndef f(x): return a", "1", "2"),
        ("def f(x): return len(str(x))\n@@", "", "def len(x): return 9"),
        ("def f(x):\n try: return a\n except NameError: return 0\n@@", "", "a = 1"),
        ("a = bytearray(b'@@')\ndef f(x): return bytes(a)", "a", "b"),
        ("a = memoryview(b'@@')\ndef f(x): return bytes(a)", "a", "b"),
        ("class T(str): pass\na = @@\ndef f(x): return type(a).__name__", "'a'", "T('a')"),
        (
            "class N(int):\n def __add__(self, o): return @@\na = N(1)\ndef f(x): return a + 1",
            "1",
            "2",
        ),
        ("class T(str): pass\na = T('a')\na.unit = @@\ndef f(x): return a.unit", "1", "2"),
        ("class L(list):\n def go(self): return @@\na = L()\ndef f(x): return a.go()", "1", "2"),
        (
            "class D(dict):\n def __missing__(self, k): return @@\na = D()\ndef f(x): return a[x]",
            "1",
            "2",
        ),
    ),
    *rows(
        "standard containers",
        (
            "import collections as c\na = c.@@(a=1)\ndef f(x): return repr(a)",
            "Counter",
            "OrderedDict",
        ),
        ("import collections as c\na = c.deque([1], @@)\ndef f(x): return a.maxlen", "2", "3"),
        ("import collections as c\na = c.defaultdict(lambda: @@)\ndef f(x): return a[x]", "1", "2"),
        ("import collections as c\na = c.ChainMap(@@)\ndef f(x): return a.get(3)", "{3: 1}", "{}"),
        ("import types\na = types.SimpleNamespace(b=@@)\ndef f(x): return a.b", "1", "2"),
        ("import types\na = types.MappingProxyType({1: @@})\ndef f(x): return a[1]", "1", "2"),
        ("import array\na = array.array('i', [@@])\ndef f(x): return a[0]", "1", "2"),
        ("import decimal as d\na = d.Decimal('@@')\ndef f(x): return str(a)", "1.0", "1.00"),
        ("import fractions as r\na = r.Fraction(1, @@)\ndef f(x): return str(a)", "2", "3"),
        ("import datetime as t\na = t.timedelta(@@)\ndef f(x): return str(a)", "1", "2"),
        ("import string\na = string.Template('@@')\ndef f(x): return a.substitute(x=x)", "$x", "-"),
        ("import heapq\na = []\nheapq.heappush(a, @@)\ndef f(x): return a[0]", "1", "2"),
    ),
    *rows(
        "compiled patterns",
        ("import re\na = re.compile('@@')\ndef f(x): return bool(a.match('b'))", "a", "b"),
        ("import re\na = re.compile('A'@@)\ndef f(x): return bool(a.match('a'))", "", ", re.I"),
        ("import re\ndef f(x): return re.sub('a', '@@', 'ab')", "b", "c"),
        ("import struct\na = struct.Struct('@@i')\ndef f(x): return a.pack(1)", "<", ">"),
    ),
    *rows(
        "arrays, tensors and frames",
        ("import numpy as np\na = np.array([1, @@])\ndef f(x): return int(a.sum())", "1", "2"),
        ("import numpy as np\na = np.array([1], '@@')\ndef f(x): return str(a.dtype)", "f4", "f8"),
        ("import numpy as np\na = np.float32(@@)\ndef f(x): return float(a)", "1", "2"),
        (
            "import numpy as np\na = np.random.default_rng(@@).random(3)\n"
            "def f(x): return float(a.sum())",
            "1",
            "2",
        ),
        ("import numpy as np\nf = np.vectorize(lambda x: x + @@)", "1", "2"),
        ("import numpy as np\na = np.@@\ndef f(x): return float(a([1, 3]))", "mean", "max"),
        ("import numpy as np\na = np.poly1d([1, @@])\ndef f(x): return float(a(x))", "1", "2"),
        ("import torch\na = torch.tensor([1.0, @@])\ndef f(x): return a.sum().item()", "1", "2"),
        (
            "import torch\nm = torch.nn.Linear(1, 1, bias=False)\nm.weight.data[:] = @@\n"
            "def f(x): return m.weight.item()",
            "1",
            "2",
        ),
        ("import torch\nm = torch.nn.Dropout(@@)\ndef f(x): return m.p", "0.1", "0.2"),
        (
            "import torch\nm = torch.nn.Identity().@@()\ndef f(x): return m.training",
            "train",
            "eval",
        ),
        ("import torch\nm = torch.nn.Identity()\nm.k = @@\ndef f(x): return m.k", "1", "2"),
        (
            "import pandas as pd\na = pd.DataFrame({'a': [@@]})\n"
            "def f(x): return int(a['a'].sum())",
            "1",
            "2",
        ),
        ("import pandas as pd\na = pd.Series([1], ['@@'])\ndef f(x): return a.index[0]", "a", "b"),
        ("import pandas as pd\na = pd.Series([1], name='@@')\ndef f(x): return a.name", "a", "b"),
        ("import pandas as pd\na = pd.Timestamp('@@')\ndef f(x): return str(a)", "2020", "2021"),
    ),
    *rows(
        "closures",
        ("def make(n):\n def f(x): return x + n\n return f\nf = make(@@)", "1", "2"),
        ("def make(n):\n def f(x): return [n for _ in [x]]\n return f\nf = make(@@)", "1", "2"),
        ("def make(a, b):\n def f(x): return a - b\n return f\nf = make(@@)", "1, 2", "2, 1"),
        (
            "def make(n):\n def g(): return n\n def f(x): return g()\n return f\nf = make(@@)",
            "1",
            "2",
        ),
        ("def make():\n k = @@\n return lambda x: x + k\nf = make()", "1", "2"),
        ("def make(g):\n def f(x): return g(x)\n return f\nf = make(lambda x: x + @@)", "1", "2"),
        ("fs = []\nfor n in (1, 2):\n fs.append(lambda x, n=n: x + n)\nf = fs[@@]", "0", "1"),
        (
            "def make(n):\n class A:\n  def go(self): return n\n return A()\n"
            "a = make(@@)\ndef f(x): return a.go()",
            "1",
            "2",
        ),
    ),
    *rows(
        "helpers",
        ("def g(x): return x @@ 1\ndef f(x): return g(x)", "+", "-"),
        (
            "def h(x): return x @@ 1\ndef g(x): return h(x)\ndef f(x): return [g(y) for y in [x]]",
            "+",
            "-",
        ),
        (
            "def f(x): return g(x)\ndef g(x): return h(x) if x else 0\n"
            "def h(x): return f(x - x) + @@",
            "1",
            "2",
        ),
        ("g = lambda x: x + @@\ndef f(x): return g(x)", "1", "2"),
        ("gs = [lambda x: x + @@]\ndef f(x): return gs[0](x)", "1", "2"),
        ("gs = {'a': (lambda x: x + @@, 1)}\ndef f(x): return gs['a'][0](x)", "1", "2"),
        ("def g(x): return x + @@\ndef f(x): return list(map(g, [x]))", "1", "2"),
        ("def g(x): return @@\ndef f(x): return sorted([x, 5], key=g)", "x", "-x"),
        ("def g(x): return x + @@\ndef h(k, x): return k(x)\ndef f(x): return h(g, x)", "1", "2"),
        ("def a(x): return 1\ndef b(x): return 2\ng = @@\ndef f(x): return g(x)", "a", "b"),
        ("def f(x):\n def g(y): return y + @@\n return g(x)", "1", "2"),
        ("def f(x):\n class A:\n  k = @@\n return A.k", "1", "2"),
        ("def f(x):\n class A:\n  def go(self): return @@\n return A().go()", "1", "2"),
        (
            "import itertools as i\ndef g(x): return x + @@\n"
            "def f(x): return list(i.starmap(g, [(x,)]))",
            "1",
            "2",
        ),
        ("g = str.@@\ndef f(x): return g('Ab')", "upper", "lower"),
        ("import math\ng = math.@@\ndef f(x): return g(x)", "sin", "cos"),
        ("import operator\ng = operator.@@\ndef f(x): return g(x, 2)", "add", "sub"),
        ("g = 'ab cd'.@@\ndef f(x): return g()", "upper", "title"),
        ("g = {1: @@}.get\ndef f(x): return g(1)", "2", "1"),
    ),
    *rows(
        "operator's getters",
        ("import operator as o\ng = o.itemgetter(@@)\ndef f(x): return g([1, 2])", "0", "1"),
        ("import operator as o\ng = o.attrgetter('@@')\ndef f(x): return g(x)", "real", "imag"),
        (
            "import operator as o\ng = o.methodcaller('@@')\ndef f(x): return g('Ab')",
            "upper",
            "lower",
        ),
        (
            "import operator as o\nclass A:\n def go(self): return @@\n"
            "def f(x): return o.methodcaller('go')(A())",
            "1",
            "2",
        ),
    ),
    *rows(
        "partial",
        (
            "from functools import partial\ndef g(x, y): return x + y\nf = partial(g, y=@@)",
            "1",
            "2",
        ),
        ("from functools import partial\ndef g(y, x): return x - y\nf = partial(g, @@)", "1", "2"),
        ("from functools import partial\ndef g(x): return x + @@\nf = partial(g)", "1", "2"),
        (
            "from functools import partial\ndef g(x): return x + @@\nh = partial(g)\n"
            "def f(x): return h(x)",
            "1",
            "2",
        ),
        ("from functools import partial\ndef g(x, @@): return 1\nf = partial(g, y=2)", "y", "z"),
        (
            "import functools\ndef g(a, b): return a + b * @@\n"
            "def f(x): return functools.reduce(g, [1, x])",
            "1",
            "2",
        ),
    ),
    *rows(
        "decorators",
        (
            "def d(g):\n def w(x): return g(x) + @@\n return w\n@d\ndef f(x): return x",
            "1",
            "2",
        ),
        ("def d(g):\n def w(x): return g(x)\n return w\n@d\ndef f(x): return x + @@", "1", "2"),
        (
            "import functools as t\ndef d(g):\n @t.wraps(g)\n def w(x): return g(x)\n return w\n"
            "@d\ndef f(x): return x + @@",
            "1",
            "2",
        ),
        (
            "def d(n):\n def e(g):\n  def w(x): return g(x) + n\n  return w\n return e\n"
            "@d(@@)\ndef f(x): return x",
            "1",
            "2",
        ),
        (
            "class D:\n def __init__(self, g): self.g = g\n"
            " def __call__(self, x): return self.g(x) + @@\n@D\ndef f(x): return x",
            "1",
            "2",
        ),
        ("import functools\n@functools.lru_cache\ndef f(x): return x + @@", "1", "2"),
        (
            "import functools\n@functools.cache\ndef g(x): return x + @@\ndef f(x): return g(x)",
            "1",
            "2",
        ),
        ("import torch\n@torch.no_grad()\ndef f(x): return x + @@", "1", "2"),
        (
            "import functools\n@functools.singledispatch\ndef g(x): return 1\n"
            "@g.register\ndef _(x: int): return @@\ndef f(x): return g(x)",
            "1",
            "2",
        ),
        (
            "import contextlib\n@contextlib.contextmanager\ndef g(): yield @@\n"
            "def f(x):\n with g() as y: return y",
            "1",
            "2",
        ),
        (
            "table = []\ndef reg(g):\n table.append(g)\n return g\n@reg\ndef g(x): return x + @@\n"
            "def f(x): return table[0](x)",
            "1",
            "2",
        ),
    ),
    *rows(
        "what a function says of itself",
        ("def f(x):\n '''@@'''\n return f.__doc__", "A", "B"),
        ("def g(x):\n '''@@'''\ndef f(x): return g.__doc__", "A", "B"),
        ("import inspect\ndef g(x):\n '''@@'''\ndef f(x): return inspect.getdoc(g)", "A", "B"),
        ("def g(x):\n '''@@'''\ndef h(k): return k.__doc__\ndef f(x): return h(g)", "A", "B"),
        ("def g(x):\n '''@@'''\ngs = [g]\ndef f(x): return gs[0].__doc__", "A", "B"),
        ("n = '__doc__'\ndef g(x):\n '''@@'''\ndef f(x): return getattr(g, n)", "A", "B"),
        ("def f(x):\n def g():\n  '''@@'''\n return g.__doc__", "A", "B"),
        (
            "def make():\n def g():\n  '''@@'''\n return g\ndef f(x): return make().__doc__",
            "A",
            "B",
        ),
        ("def @@(x): pass\ng = @@\ndef f(x): return g.__name__", "p", "q"),
        ("def @@(x): pass\ngs = [@@]\ndef f(x): return [g.__name__ for g in gs]", "p", "q"),
        (
            "import pandas as pd\ndef @@(x): return x.sum()\ngs = [@@]\n"
            "def f(x): return list(pd.Series([1, 2]).agg(gs).index)",
            "p",
            "q",
        ),
        (
            "import typing\ndef g(a: @@): pass\ndef f(x): return str(typing.get_type_hints(g))",
            "int",
            "str",
        ),
        ("def g(a: @@): pass\ndef f(x): return str(g.__annotations__)", "int", "str"),
        ("import inspect\ndef g(@@): pass\ndef f(x): return str(inspect.signature(g))", "a", "b"),
        ("def g(x):\n @@ = 1\ndef f(x): return g.__code__.co_varnames", "a", "b"),
        ("def f(x):\n @@ = 1\n return sorted(locals())", "a", "b"),
        ("def f(x):\n @@ = 1\n return dir()", "a", "b"),
        ("def f(x):\n @@ = 1\n return sorted(vars())", "a", "b"),
        ("L = locals\ndef f(x):\n @@ = 1\n return sorted(L())", "a", "b"),
        ("def g(x): pass\ng.unit = @@\ndef f(x): return g.unit", "1", "2"),
        ("def g(x): return 1\ndef h(x): return 2\ng.k = @@\ndef f(x): return g.k(x)", "g", "h"),
        (
            "import functools as t\ndef g(x):\n '''@@'''\n@t.wraps(g)\n"
            "def h(x): return h.__doc__\ndef f(x): return h(x)",
            "A",
            "B",
        ),
        ("class A:\n def go(self):\n  '''@@'''\na = A()\ndef f(x): return a.go.__doc__", "A", "B"),
        (
            "import inspect\nclass A:\n def go(self):\n  '''@@'''\n"
            "def f(x): return inspect.getdoc(A.go)",
            "A",
            "B",
        ),
        (
            "def tool(g): return {'says': g.__doc__}\n@tool\ndef g(x):\n '''@@'''\n"
            "def f(x): return g['says']",
            "A",
            "B",
        ),
    ),
    *rows(
        "methods",
        ("class A:\n def go(self): return @@\ndef f(x): return A().go()", "1", "2"),
        ("class A:\n def go(self): return @@\na = A()\ndef f(x): return a.go()", "1", "2"),
        ("class A:\n def go(self, x): return x + @@\nf = A().go", "1", "2"),
        ("class A:\n def go(self, x): return x + self.k\na = A()\na.k = @@\nf = a.go", "1", "2"),
        ("class A:\n def __call__(self, x): return @@\nf = A()", "1", "2"),
        (
            "class A:\n def a(self): return self.b()\n def b(self): return @@\n"
            "c = A()\ndef f(x): return c.a()",
            "1",
            "2",
        ),
        ("class A:\n @staticmethod\n def go(): return @@\ndef f(x): return A.go()", "1", "2"),
        (
            "class A:\n @classmethod\n def go(cls): return cls.k\n k = @@\ndef f(x): return A.go()",
            "1",
            "2",
        ),
        (
            "class A:\n def go(self): return 1\n@@\na = A()\ndef f(x): return a.go()",
            "",
            "A.go = lambda self: 2",
        ),
        (
            "class A:\n def go(self): return 1\na = A()\n@@\ndef f(x): return a.go()",
            "",
            "a.go = lambda: 2",
        ),
        ("class A:\n def go(self): return @@\ndef f(x): return [y.go() for y in [A()]]", "1", "2"),
        (
            "class A:\n def go(self): return @@\ndef f(x): return getattr(A(), 'g' + 'o')()",
            "1",
            "2",
        ),
        ("class A:\n def go(self): return @@\ndef f(x): return A.__dict__['go'](0)", "1", "2"),
        ("class A:\n def __len__(self): return @@\na = A()\ndef f(x): return len(a)", "1", "2"),
        (
            "class A:\n def __eq__(self, o): return @@\na = A()\ndef f(x): return a == 1",
            "True",
            "False",
        ),
        ("class A:\n def __getattr__(self, n): return @@\na = A()\ndef f(x): return a.b", "1", "2"),
        ("class A:\n def __iter__(self): yield @@\na = A()\ndef f(x): return list(a)", "1", "2"),
        (
            "class A:\n def __enter__(self): return @@\n def __exit__(self, *a): pass\n"
            "def f(x):\n with A() as y: return y",
            "1",
            "2",
        ),
        (
            "class A:\n def __bool__(self): return @@\na = A()\ndef f(x): return 1 if a else 2",
            "True",
            "False",
        ),
        (
            "class A:\n def __format__(self, s): return '@@'\na = A()\ndef f(x): return f'{a}'",
            "1",
            "2",
        ),
        (
            "class A:\n def __hash__(self): return @@\n def __eq__(self, o): return True\n"
            "a = A()\nd = {1: 'a'}\ndef f(x): return d.get(a)",
            "1",
            "2",
        ),
    ),
    *rows(
        "what makes objects",
        ("class A:\n def __init__(self): self.k = @@\ndef f(x): return A().k", "1", "2"),
        (
            "class A:\n def __init__(self): self.k = @@\na = A()\na.k = 0\n"
            "def f(x): return type(a)().k",
            "1",
            "2",
        ),
        (
            "class A:\n def __init__(self): self.k = @@\na = A()\na.k = 0\n"
            "def f(x): return a.__class__().k",
            "1",
            "2",
        ),
        (
            "class A:\n def __init__(self): self.k = @@\n def new(self): return type(self)()\n"
            "a = A()\na.k = 0\ndef f(x): return a.new().k",
            "1",
            "2",
        ),
        (
            "class A:\n def __init__(self): self.k = @@\n @classmethod\n"
            " def new(cls): return cls()\na = A()\na.k = 0\ndef f(x): return a.new().k",
            "1",
            "2",
        ),
        ("class A:\n def __new__(cls): return @@\ndef f(x): return A()", "1", "2"),
        (
            "class A:\n k = 0\n def __init_subclass__(cls): cls.k = @@\n"
            "def f(x):\n class B(A): pass\n return B.k",
            "1",
            "2",
        ),
        (_DATA + " def __post_init__(self): self.k += @@\ndef f(x): return S(x).k", "1", "2"),
        (
            _DATA + " def __post_init__(self): self.k = min(self.k, @@)\ns = S()\n"
            "def f(x): return d.replace(s, k=x).k",
            "1",
            "2",
        ),
        (_DATA.replace("0", "@@") + "def f(x): return S().k", "1", "2"),
        (
            _DATA.replace("0", "d.field(default_factory=lambda: @@)") + "def f(x): return S().k",
            "1",
            "2",
        ),
        (
            _DATA.replace("0", "d.field(default=1, repr=@@)") + "def f(x): return repr(S())",
            "True",
            "False",
        ),
        (
            _DATA.replace("dataclass\n", "dataclass(frozen=@@)\n")
            + "def f(x):\n s = S()\n s.k = 1\n return s.k",
            "True",
            "False",
        ),
        (
            _DATA.replace("dataclass\n", "dataclass(order=@@)\n") + "def f(x): return S(1) < S(2)",
            "True",
            "False",
        ),
        (_DATA + " j: int = @@\ndef f(x): return d.asdict(S())", "1", "2"),
        (
            _DATA + " def __post_init__(self): self.k += @@\nc = {'s': S}\n"
            "def f(x): return c['s'](x).k",
            "1",
            "2",
        ),
        (
            "import collections as c\nT = c.namedtuple('T', '@@')\ndef f(x): return T(1, 2).a",
            "a b",
            "b a",
        ),
        (
            "import collections as c\nT = c.namedtuple('T', 'a', defaults=[@@])\n"
            "def f(x): return T().a",
            "1",
            "2",
        ),
        (
            "import typing\nclass T(typing.NamedTuple):\n a: int = @@\ndef f(x): return T().a",
            "1",
            "2",
        ),
        (
            "import copy\nclass A:\n def __copy__(self): return @@\na = A()\n"
            "def f(x): return copy.copy(a)",
            "1",
            "2",
        ),
        (
            "import copy\nclass A:\n def __reduce__(self): return (int, (@@,))\na = A()\n"
            "def f(x): return copy.copy(a)",
            "1",
            "2",
        ),
    ),
    *rows(
        "attributes of classes",
        ("class A: k = @@\ndef f(x): return A.k", "1", "2"),
        ("class A: k = @@\na = A()\ndef f(x): return a.k", "1", "2"),
        ("class B: k = @@\nclass A(B): pass\ndef f(x): return A().k", "1", "2"),
        ("class B: k = 1\nclass C: k = 2\nclass A(@@): pass\ndef f(x): return A.k", "B, C", "C, B"),
        ("class A: k = {'a': [@@]}\ndef f(x): return A.k['a'][0]", "1", "2"),
        ("class A: pass\nA.k = @@\ndef f(x): return A.k", "1", "2"),
        (
            "class A:\n k: @@\ndef f(x): return [c('1') for c in A.__annotations__.values()]",
            "int",
            "str",
        ),
        ("class A:\n '''@@'''\ndef f(x): return A.__doc__", "A", "B"),
        ("class @@: pass\nA = @@\ndef f(x): return A.__name__", "P", "Q"),
        ("class @@: pass\na = @@()\ndef f(x): return type(a).__name__", "P", "Q"),
        ("class A:\n class B: k = @@\ndef f(x): return A.B.k", "1", "2"),
        ("class A:\n __slots__ = ('k',)\na = A()\na.k = @@\ndef f(x): return a.k", "1", "2"),
        ("class A:\n __slots__ = @@\ndef f(x): return A.__slots__", "('k',)", "('j',)"),
        ("class A:\n __module__ = '@@'\ndef f(x): return A.__module__", "p", "q"),
        ("class A:\n go = lambda self, x: x + @@\na = A()\ndef f(x): return a.go(x)", "1", "2"),
        (
            "table = {}\nclass B:\n def __init_subclass__(cls): table[cls.__name__] = cls\n"
            "class A(B): k = @@\ndef f(x): return table['A'].k",
            "1",
            "2",
        ),
        (
            "class B: pass\nclass A(B): k = @@\ndef f(x): return B.__subclasses__()[0].k",
            "1",
            "2",
        ),
    ),
    *rows(
        "properties and descriptors",
        ("class A:\n @property\n def k(self): return @@\na = A()\ndef f(x): return a.k", "1", "2"),
        (
            "import functools\nclass A:\n @functools.cached_property\n def k(self): return @@\n"
            "a = A()\ndef f(x): return a.k",
            "1",
            "2",
        ),
        (
            "class D:\n def __get__(self, o, c): return @@\nclass A: k = D()\n"
            "def f(x): return A().k",
            "1",
            "2",
        ),
        (
            "class D:\n def __init__(self, n): self.n = n\n"
            " def __get__(self, o, c): return self.n\nclass A: k = D(@@)\na = A()\n"
            "def f(x): return a.k",
            "1",
            "2",
        ),
        (
            "import functools\nclass A:\n def g(self, n): return n\n"
            " go = functools.partialmethod(g, @@)\ndef f(x): return A().go()",
            "1",
            "2",
        ),
    ),
    *rows(
        "metaclasses",
        (
            "class M(type):\n def __call__(cls): return @@\nclass A(metaclass=M): pass\n"
            "def f(x): return A()",
            "1",
            "2",
        ),
        (
            "class M(type):\n @property\n def k(cls): return @@\nclass A(metaclass=M): pass\n"
            "def f(x): return A.k",
            "1",
            "2",
        ),
        (
            "class M(type):\n def __getattr__(cls, n): return @@\nclass A(metaclass=M): pass\n"
            "def f(x): return A.k",
            "1",
            "2",
        ),
        (
            "class M(type):\n def __instancecheck__(cls, o): return @@\n"
            "class A(metaclass=M): pass\ndef f(x): return isinstance(x, A)",
            "True",
            "False",
        ),
        (
            "import abc\nclass A(abc.ABC): pass\n@@\ndef f(x): return isinstance(x, A)",
            "",
            "A.register(int)",
        ),
        ("class A:\n def __class_getitem__(cls, k): return @@\ndef f(x): return A[1]", "1", "2"),
        ("A = type('A', (), {'k': @@})\ndef f(x): return A.k", "1", "2"),
    ),
    *rows(
        "enums",
        ("import enum\nclass E(enum.Enum): A = @@\ndef f(x): return E.A.value", "1", "2"),
        (
            "import enum\nclass E(enum.Enum):\n A = 1\n B = 2\nk = E.@@\ndef f(x): return k.name",
            "A",
            "B",
        ),
        (
            "import enum\nclass E(enum.Enum):\n A = 1\n def go(self): return @@\nk = E.A\n"
            "def f(x): return k.go()",
            "1",
            "2",
        ),
        (
            "import enum\nclass E(enum.Enum):\n @@\ndef f(x): return [e.name for e in E]",
            "A = 1; B = 2",
            "B = 2; A = 1",
        ),
        ("import enum\nclass E(enum.@@): A = 1\ndef f(x): return E.A == 1", "Enum", "IntEnum"),
        (
            "import enum\nclass E(enum.Enum):\n A = 1\n @classmethod\n def _missing_(cls, v): "
            "return cls.A if @@ else None\ndef f(x): return E(9).name",
            "True",
            "False",
        ),
    ),
    *rows(
        "objects",
        ("class A: pass\na = A()\na.k = @@\ndef f(x): return a.k", "1", "2"),
        ("class A: pass\na = A()\na.b = A()\na.b.k = [@@]\ndef f(x): return a.b.k", "1", "2"),
        (
            "class A:\n def __getstate__(self): return {}\na = A()\na.k = @@\ndef f(x): return a.k",
            "1",
            "2",
        ),
        (
            "class A:\n def __reduce__(self): return (A, ())\na = A()\na.k = @@\n"
            "def f(x): return a.k",
            "1",
            "2",
        ),
        ("class A: k = 1\na = A()\n@@\ndef f(x): return a.k", "", "a.k = 2"),
        ("class A: pass\na, b = A(), A()\na.k, b.k = 1, 2\nc = @@\ndef f(x): return c.k", "a", "b"),
        ("import types\nm = types.ModuleType('made')\nm.k = @@\ndef f(x): return m.k", "1", "2"),
        (
            "import types\nm = types.ModuleType('made')\nm.k = @@\ndef g(n): return n.k\n"
            "def f(x): return g(m)",
            "1",
            "2",
        ),
        (
            "import contextvars\nv = contextvars.ContextVar('v')\nv.set(@@)\n"
            "def f(x): return v.get()",
            "1",
            "2",
        ),
        (
            "import contextvars\nv = contextvars.ContextVar('v', default=@@)\n"
            "def f(x): return v.get()",
            "1",
            "2",
        ),
        (
            "import weakref\nclass A: k = @@\na = A()\nw = weakref.ref(a)\ndef f(x): return w().k",
            "1",
            "2",
        ),
        ("import threading\nl = threading.local()\nl.k = @@\ndef f(x): return l.k", "1", "2"),
    ),
    *rows(
        "names that are made",
        ("a = @@\ndef f(x): return globals()['a']", "1", "2"),
        ("a = @@\ndef f(x): return eval('a')", "1", "2"),
        (
            "import sys, types\nsys.modules['hunted'] = types.SimpleNamespace(a=@@)\n"
            "def f(x): return sys.modules['hunted'].a",
            "1",
            "2",
        ),
        (
            "import importlib, sys, types\nsys.modules['hunted'] = types.SimpleNamespace(a=@@)\n"
            "def f(x): return importlib.import_module('hunted').a",
            "1",
            "2",
        ),
        ("a = @@\ndef f(x): return f.__globals__['a']", "1", "2"),
        ("a = @@\nG = globals()\ndef f(x): return G['a']", "1", "2"),
        ("class A: k = @@\nn = 'k'\nget = getattr\ndef f(x): return get(A, n)", "1", "2"),
        ("class A: k = @@\ndef f(x): return object.__getattribute__(A(), 'k')", "1", "2"),
        (
            "import sys\na = @@\ndef g(): return sys._getframe(1).f_globals['a']\n"
            "def f(x): return g()",
            "1",
            "2",
        ),
    ),
    *rows(
        "libraries",
        ("import numpy as np\ndef f(x): return float(np.@@([1, 3]))", "mean", "max"),
        ("import numpy as np\ndef f(x): return float(np.linalg.norm([1, 2], @@))", "1", "2"),
        ("from math import @@ as g\ndef f(x): return g(x)", "sin", "cos"),
    ),
]

SAME = [
    *rows(
        "comments and whitespace",
        ("def f(x):@@ return x + 1", "", "\n    # plus one\n   "),
        ("def f(x): return x@@+ 1", " ", "   "),
        ("@@def f(x): return x + 1", "", "\n\n# before\n"),
        ("def f(x): return (x +@@ 1)", "", "\n  # between\n"),
        ("def f(x):\n if x: @@return 1\n return 2", "", "\n  "),
        ("def f(x):\n y = [@@1, 2]\n return y", "", "\n  "),
        ("def g(x):@@ return x + 1\ndef f(x): return g(x)", "", "\n # more\n"),
        (
            "class A:\n def go(self):@@ return 1\na = A()\ndef f(x): return a.go()",
            "",
            "\n  # more\n ",
        ),
        ("def f(x):\n try: return x@@\n except ValueError: return 2", "", "\n # more\n"),
        ("def f(x):\n for y in range(x):@@ x += y\n return x", "", "\n  # more\n "),
        ("def f(x): return x + 1 @@", "", "  # plus one"),
        ("def f(x):\n def g(y):@@ return y\n return g(x)", "", "\n  # more\n "),
        ("def f(x): return @@", "'a' + \"b\"", "\"a\" 'b'"),
        ("def f(x): return @@", "10_000", "10000"),
        ("def f(x): return @@", "0x10", "16"),
        ("def f(x): return @@", "(x)", "x"),
    ),
    *rows(
        "docstrings of functions",
        ("def f(x):\n '''@@'''\n return x + 1", "One.", "Two, which says more."),
        ("def f(x):\n @@\n return x + 1", "'''One.'''", "pass"),
        ("def f(x):\n @@\n return None if x else 1", "'''One.'''", "pass"),
        (
            "def f(x):\n '''@@'''\n for y in range(x):\n  if y: return None\n return x",
            "A",
            "B",
        ),
        ("def g(x):\n '''@@'''\n return x\ndef f(x): return g(x)", "A", "B"),
        ("def h(x):\n '''@@'''\n return x\ndef g(x): return h(x)\ndef f(x): return g(x)", "A", "B"),
        ("def f(x):\n def g(y):\n  '''@@'''\n  return y\n return g(x)", "A", "B"),
        (
            "class A:\n def go(self):\n  '''@@'''\n  return 1\na = A()\ndef f(x): return a.go()",
            "A",
            "B",
        ),
        ("class A:\n def go(self):\n  '''@@'''\n  return 1\ndef f(x): return A().go()", "A", "B"),
        (
            "class A:\n @property\n def k(self):\n  '''@@'''\n  return 1\na = A()\n"
            "def f(x): return a.k",
            "A",
            "B",
        ),
        ("class A:\n def __call__(self, x):\n  '''@@'''\n  return 1\nf = A()", "A", "B"),
        ("class A:\n def go(self, x):\n  '''@@'''\n  return 1\nf = A().go", "A", "B"),
        ("import functools\n@functools.lru_cache\ndef f(x):\n '''@@'''\n return x", "A", "B"),
        (
            "import functools\ndef g(x, y):\n '''@@'''\n return x\nf = functools.partial(g, y=1)",
            "A",
            "B",
        ),
        (
            "import functools as t\ndef d(g):\n @t.wraps(g)\n def w(x): return g(x)\n return w\n"
            "@d\ndef f(x):\n '''@@'''\n return x",
            "A",
            "B",
        ),
        ("def g(n):\n '''@@'''\n return g(n - 1) if n else 0\ndef f(x): return g(x)", "A", "B"),
    ),
    *rows(
        "names of variables",
        ("def f(x):\n @@ = x + 1\n return @@", "a", "zz"),
        ("def f(@@): return @@ + 1", "x", "value"),
        ("def f(x): return [@@ + 1 for @@ in range(x)]", "y", "z"),
        ("def f(x): return (lambda @@: @@ + 1)(x)", "y", "z"),
        ("def f(x):\n for @@ in range(x): x += @@\n return x", "y", "z"),
        ("def f(x):\n @@, b = x, 1\n return @@ - b", "a", "c"),
        ("def f(x):\n @@, m = x, 1\n def g(): return @@ - m\n return g()", "a", "z"),
        ("def make(@@, m):\n def f(x): return @@ - m\n return f\nf = make(1, 2)", "a", "z"),
        ("def g(@@): return @@ + 1\ndef f(x): return g(x)", "a", "b"),
        (
            "class A:\n def go(@@): return @@.k\n k = 1\na = A()\ndef f(x): return a.go()",
            "self",
            "this",
        ),
        (
            "def f(x):\n try: x / 0\n except ZeroDivisionError as @@: return str(@@)",
            "a",
            "b",
        ),
        ("def f(x): return sorted([x, 1], key=lambda @@: -@@)", "a", "b"),
        ("def f(x):\n match x:\n  case @@: return @@", "a", "b"),
        ("def f(x): return (@@ := x + 1) * @@", "a", "b"),
        ("import math as @@\ndef f(x): return 1", "m", "n"),
        ("def f(x):\n def @@(y): return y\n return @@(x)", "g", "h"),
    ),
    *rows(
        "annotations of functions",
        ("def f(x@@): return x + 1", "", ": int"),
        ("def f(x)@@: return x + 1", "", " -> int"),
        ("def f(x):\n y@@ = 1\n return x + y", "", ": int"),
        ("def g(x@@): return x + 1\ndef f(x): return g(x)", "", ": int"),
        (
            "class A:\n def go(self)@@: return 1\na = A()\ndef f(x): return a.go()",
            "",
            " -> int",
        ),
    ),
    *rows(
        "what is not used",
        ("a = 1; b = @@\ndef f(x): return x + a", "2", "3"),
        ("@@\ndef f(x): return x + 1", "", "def g(x): return 1"),
        ("import math@@\ndef f(x): return math.pi", "", ", json"),
        ("from math import @@\ndef f(x): return sin(x)", "sin", "sin, cos"),
        ("a = [1]\n@@\ndef f(x): return a", "", "b = a"),
        ("def f(x): return g(x)\n@@", "def g(x): return x\nh = 1", "h = 1\ndef g(x): return x"),
        ("a = @@\ndef f(x): return a", "[1, 2]", "[1] + [2]"),
        ("a = @@\ndef f(x): return sorted(a)", "{'p', 'q', 'r'}", "{'r', 'q', 'p'}"),
        ("a = (1.0, @@)\ndef f(x): return a[0]", "float('nan')", "-float('nan')"),
        ("class A: pass\na = A()\na.k = 1\n@@\ndef f(x): return a.k", "", "a.k = 1"),
        (
            "import numpy as np\na = np.@@([[1, 2]])\ndef f(x): return a",
            "array",
            "asfortranarray",
        ),
        ("def @@(x): return x\nf = @@", "one", "two"),
    ),
]
