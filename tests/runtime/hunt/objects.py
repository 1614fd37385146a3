"""Objects that a function refers to and that are changed in place, and edited modules."""

from __future__ import annotations

from tests.runtime.hunt.edit import Edit, edited, followed

READ = "\ndef f(x): return a"

IN_PLACE: list[Edit] = [
    *followed(
        "list changed in place",
        ("a = [1]" + READ, "a.append(2)"),
        ("a = [1, [2]]" + READ, "a[1][0] = 3"),
        ("a = [3, 1]" + READ, "a.sort()"),
        ("a = ([1],)" + READ, "a[0][0] = 2"),
        ("a = [1]\nb = a\ndef f(x): return b", "a.append(2)"),
    ),
    *followed(
        "dict changed in place",
        ("a = {'k': 1}" + READ, "a['k'] = 2"),
        ("a = {'k': {'j': 1}}" + READ, "a['k']['j'] = 2"),
        ("a = {'k': 1, 'j': 2}\ndef f(x): return list(a)", "a['k'] = a.pop('k')"),
        ("a = {'k': 1}\ndef f(x): return a.get('z', 0)", "a['z'] = 2"),
        (
            "import collections\na = collections.OrderedDict(p=1, q=2)\ndef f(x): return list(a)",
            "a.move_to_end('p')",
        ),
        (
            "import collections\na = collections.Counter('ab')\ndef f(x): return a['a']",
            "a.update('a')",
        ),
    ),
    *followed(
        "set changed in place",
        ("a = {1}\ndef f(x): return sorted(a)", "a.add(2)"),
        ("a = {1, 2}\ndef f(x): return len(a)", "a.discard(1)"),
    ),
    *followed(
        "other containers changed in place",
        (
            "import collections\na = collections.deque([1])\ndef f(x): return list(a)",
            "a.appendleft(2)",
        ),
        ("a = bytearray(b'a')\ndef f(x): return bytes(a)", "a[0] = 98"),
        ("import array\na = array.array('i', [1])\ndef f(x): return a[0]", "a[0] = 2"),
        ("import io\na = io.StringIO('a')\ndef f(x): return a.getvalue()", "a.write('b')"),
        ("import io\na = io.BytesIO(b'a')\ndef f(x): return a.getvalue()", "a.write(b'b')"),
        ("import types\na = types.SimpleNamespace(k=1)\ndef f(x): return a.k", "a.k = 2"),
    ),
    *followed(
        "array changed in place",
        ("a = np.arange(3)" + READ, "a[0] = 7"),
        ("a = np.arange(4)\nb = a[1:]\ndef f(x): return b", "a[2] = 7"),
        ("a = np.zeros(2, 'i4,f8')\ndef f(x): return int(a['f0'][0])", "a['f0'][0] = 1"),
        ("a = np.array([[1], 2], dtype=object)\ndef f(x): return a[0]", "a[0].append(2)"),
        (
            "a = np.ma.array([1, 2], mask=[False, False])\ndef f(x): return int(a.sum())",
            "a[0] = np.ma.masked",
        ),
        ("a = np.arange(4)\ndef f(x): return a.shape", "a.shape = (2, 2)"),
        (
            "import scipy.sparse as s\na = s.csr_matrix([[0, 1]])\ndef f(x): return int(a.sum())",
            "a.data[0] = 5",
        ),
        (
            "from PIL import Image\na = Image.new('L', (1, 1))\ndef f(x): return a.getpixel((0, 0))",
            "a.putpixel((0, 0), 9)",
        ),
    ),
    *followed(
        "frame changed in place",
        ("a = pd.DataFrame({'k': [1]})\ndef f(x): return int(a['k'].sum())", "a.loc[0, 'k'] = 2"),
        ("a = pd.DataFrame({'k': [1]})\ndef f(x): return list(a)", "a['j'] = 2"),
        (
            "a = pd.DataFrame({'k': [1]})\ndef f(x): return a.index.tolist()",
            "a.index = ['p']",
        ),
        ("a = pd.DataFrame({'k': [1]})\ndef f(x): return list(a)", "a.columns = ['z']"),
        ("a = pd.Series([1])\ndef f(x): return int(a.iloc[0])", "a.iloc[0] = 2"),
        ("a = pd.Series([1])\ndef f(x): return a.name", "a.name = 'z'"),
        ("a = pd.DataFrame({'k': [1]})\ndef f(x): return a.attrs.get('u')", "a.attrs['u'] = 1"),
    ),
    *followed(
        "tensor changed in place",
        ("import torch\na = torch.zeros(2)\ndef f(x): return a.sum().item()", "a[0] = 1"),
        ("import torch\na = torch.zeros(2)\ndef f(x): return a.sum().item()", "a.add_(1)"),
        ("import torch\na = torch.zeros(2)\ndef f(x): return a.sum().item()", "a.data += 1"),
        (
            "import torch\nv = np.zeros(2, 'float32')\na = torch.from_numpy(v)\n"
            "def f(x): return a.sum().item()",
            "v[0] = 1",
        ),
        (
            "import torch\na = torch.zeros(2)\ndef f(x): return a.requires_grad",
            "a.requires_grad_()",
        ),
    ),
    *followed(
        "model of a function changed in place",
        (
            "import torch\nm = torch.nn.Linear(1, 1)\ntorch.nn.init.zeros_(m.weight)\n"
            "def f(x): return m.weight.item()",
            "m.weight.data += 1",
        ),
        (
            "import torch\nm = torch.nn.BatchNorm1d(1)\ndef f(x): return m.running_mean.item()",
            "m.running_mean += 1",
        ),
        (
            "import torch\nm = torch.nn.Dropout()\ndef f(x): return m.training",
            "m.eval()",
        ),
        (
            "import torch\nm = torch.nn.Identity()\n"
            "def f(x): return float(m(torch.ones(1)).sum())",
            "h = m.register_forward_hook(lambda m, i, o: o * 2)",
        ),
        (
            "from sklearn.linear_model import LinearRegression\n"
            "m = LinearRegression().fit([[0], [1]], [0, 1])\n"
            "def f(x): return float(m.predict([[x]])[0])",
            "m.coef_ *= 2",
        ),
        (
            "from sklearn.linear_model import LinearRegression\n"
            "m = LinearRegression().fit([[0], [1]], [0, 1])\n"
            "def f(x): return round(float(m.predict([[x]])[0]), 6)",
            "m = m.fit([[0], [1]], [0, 5])",
        ),
        (
            "from sklearn.tree import DecisionTreeRegressor\n"
            "m = DecisionTreeRegressor().fit([[0], [9]], [0, 1])\n"
            "def f(x): return float(m.predict([[9]])[0])",
            "m.fit([[0], [9]], [0, 7])",
        ),
    ),
    *followed(
        "object's attribute changed",
        ("class A: pass\na = A()\na.k = 1\ndef f(x): return a.k", "a.k = 2"),
        ("class A: pass\na = A()\na.b = A()\na.b.k = [1]\ndef f(x): return a.b.k", "a.b.k[0] = 2"),
        ("class A: pass\na = A()\na.k = 1\ndef f(x): return a.k", "vars(a)['k'] = 2"),
        ("class A: pass\na = A()\na.k = 1\ndef f(x): return hasattr(a, 'k')", "del a.k"),
        (
            "class A:\n def __init__(self): self.k = 1\n def go(self, x): return self.k\n"
            "a = A()\nf = a.go",
            "a.k = 2",
        ),
        (
            "class A:\n k = 1\n def __call__(self, x): return self.k\nf = A()",
            "f.k = 2",
        ),
        ("class A: __slots__ = ('k',)\na = A()\na.k = 1\ndef f(x): return a.k", "a.k = 2"),
        (
            "import dataclasses as c\n@c.dataclass\nclass A: k: int = 1\na = A()\n"
            "def f(x): return a.k",
            "a.k = 2",
        ),
        (
            "class A: pass\nclass B(A): k = 2\nclass C(A): k = 1\na = C()\ndef f(x): return a.k",
            "a.__class__ = B",
        ),
        (
            "class A:\n def __init__(self): self.h = [lambda: 1]\na = A()\n"
            "def f(x): return a.h[0]()",
            "a.h[0] = lambda: 2",
        ),
    ),
    *followed(
        "class changed in place",
        ("class A: k = 1\ndef f(x): return A.k", "A.k = 2"),
        ("class A: k = 1\na = A()\ndef f(x): return a.k", "A.k = 2"),
        ("class A:\n def go(self): return 1\na = A()\ndef f(x): return a.go()", "A.go = lambda s: 2"),
        ("class B: k = 1\nclass A(B): pass\ndef f(x): return A.k", "B.k = 2"),
        ("class A: k = []\ndef f(x): return A.k", "A.k.append(1)"),
        (
            "class A: pass\na = A()\ndef f(x): return getattr(a, 'k', 0)",
            "A.k = property(lambda s: 2)",
        ),
        ("class A: pass\na = A()\ndef f(x): return getattr(a, 'k', 0)", "A.__getattr__ = lambda s, n: 2"),
        ("class A: pass\ndef f(x): return A() == 1", "A.__eq__ = lambda s, o: True"),
    ),
    *followed(
        "function changed in place",
        ("def f(x, y=[1]): return y", "f.__defaults__[0].append(2)"),
        ("def f(x, y=1): return y", "f.__defaults__ = (2,)"),
        ("def f(x, *, y=1): return y", "f.__kwdefaults__ = {'y': 2}"),
        ("def f(x): return f.k\nf.k = 1", "f.k = 2"),
        ("def f(x): return 1", "f.__code__ = (lambda x: 2).__code__"),
        ("def g(x): return 1\ndef f(x): return g(x)", "g.__code__ = (lambda x: 2).__code__"),
        ("def make(n):\n def f(x): return n\n return f\nl = [1]\nf = make(l)", "l.append(2)"),
        (
            "def make():\n n = 1\n def f(x): return n\n def put(v):\n  nonlocal n\n  n = v\n"
            " return f, put\nf, put_n = make()",
            "put_n(2)",
        ),
        (
            "import functools\ndef g(x, y): return y\nl = [1]\nf = functools.partial(g, y=l)",
            "l.append(2)",
        ),
        ("table = {'a': lambda x: 1}\ndef f(x): return table['a'](x)", "table['a'] = lambda x: 2"),
        ("STEPS = [lambda x: x + 1]\ndef f(x):\n for s in STEPS: x = s(x)\n return x", "STEPS.append(lambda x: x * 2)"),
    ),
    *followed(
        "function changed in place",
        (
            "import functools\n@functools.singledispatch\ndef g(x): return 1\n"
            "def f(x): return g(x)",
            "_ = g.register(int, lambda x: 2)",
        ),
        alone=True,
    ),
    *followed(
        "name bound anew",
        ("a = 1" + READ, "a = 2"),
        ("a = 1" + READ, "globals()['a'] = 2"),
        ("a = 1\ndef f(x):\n try: return a\n except NameError: return 0", "del a"),
        ("def g(x): return 1\ndef f(x): return g(x)", "def g(x): return 2"),
        ("class A: k = 1\ndef f(x): return A.k", "class A: k = 2"),
        ("import math as m\ndef f(x): return m.__name__", "import cmath as m"),
        ("from math import sin as g\ndef f(x): return g(x)", "from math import cos as g"),
        ("def f(x): return len('abc')", "def len(x): return 9"),
        ("def f(x): return x", "f = abs(-1).__add__"),
        ("def f(x): return x", "def f(x): yield x\ng = f\ndef f(x): return list(g(x)) * 2"),
    ),
]  # fmt: skip

_CLEAN = "def clean(x): return x + @@\nK = @@\n"


def _own(text: str = _CLEAN) -> str:
    return f'module("OWN", """{text}""")\n'


def _package(init: str, part: str) -> str:
    return f'module("OWN.__init__", """{init}""")\nmodule("OWN.part", """{part}""")\n'


MODULES: list[Edit] = [
    *edited(
        "module edited and loaded again",
        (_own() + "import OWN\ndef f(x): return OWN.clean(x)", "1", "2"),
        (_own() + "import OWN as o\ndef f(x): return o.K", "1", "2"),
        (_own() + "from OWN import clean\ndef f(x): return clean(x)", "1", "2"),
        (_own() + "from OWN import *\ndef f(x): return clean(x) + K", "1", "2"),
        (_own() + "import OWN\nf = OWN.clean", "1", "2"),
        (_own() + "import OWN, functools\nf = functools.partial(OWN.clean)", "1", "2"),
        (_own("class A:\n  def go(s, x): return x + @@\n") + "import OWN\nf = OWN.A().go", "1", "2"),
        (_own("T = {'k': [@@]}\n") + "import OWN\ndef f(x): return OWN.T['k']", "1", "2"),
        (_own("def deco(g): return lambda x: g(x) + @@\n") + "import OWN\n@OWN.deco\ndef f(x): return x", "1", "2"),
    ),
    *followed(
        "module reloaded in place",
        (
            _own("K = 1\n") + "import OWN, importlib\ndef f(x): return OWN.K",
            "put('OWN.py', 'K = 2 # more\\n')\n_ = importlib.reload(OWN)",
        ),
        (
            _own("def g(x): return 1\n") + "import OWN, importlib\ndef f(x): return OWN.g(x)",
            "put('OWN.py', 'def g(x): return 2 # more\\n')\n_ = importlib.reload(OWN)",
        ),
        (_own("K = 1\n") + "import OWN\ndef f(x): return OWN.K", "OWN.K = 2"),
        (_own("def g(x): return 1\n") + "import OWN\ndef f(x): return OWN.g(x)", "OWN.g = lambda x: 2"),
        (_own("L = [1]\n") + "import OWN\ndef f(x): return OWN.L", "OWN.L.append(2)"),
        (_own("K = 1\ndef g(): return K\n") + "import OWN\ndef f(x): return OWN.g()", "OWN.K = 2"),
    ),
    *edited(
        "module reached by a computed name",
        (_own() + "import OWN\nN = 'clean'\ndef f(x): return getattr(OWN, N)(x)", "1", "2"),
        (_own() + "import OWN\nN = 'cl'\ndef f(x): return getattr(OWN, N + 'ean')(x)", "1", "2"),
        (_own() + "import OWN\ndef f(x): return {k: v for k, v in vars(OWN).items() if k == 'K'}", "1", "2"),
        (_own() + "import importlib\ndef f(x): return importlib.import_module('OWN').clean(x)", "1", "2"),
        (_own() + "import sys, OWN\ndef f(x): return sys.modules['OWN'].clean(x)", "1", "2"),
        (_own() + "def f(x): return __import__('OWN').clean(x)", "1", "2"),
        (_own() + "import OWN\ndef ap(m, n, x): return getattr(m, n)(x)\ndef f(x): return ap(OWN, 'clean', x)", "1", "2"),
        (_own() + "N = 'OWN'\nimport importlib\ndef f(x): return importlib.import_module(N).clean(x)", "1", "2"),
    ),
    *edited(
        "module imported when the function runs",
        (_own() + "def f(x):\n import OWN\n return OWN.clean(x)", "1", "2"),
        (_own() + "def f(x):\n from OWN import clean\n return clean(x)", "1", "2"),
        (_own() + "def g():\n import OWN\n return OWN\ndef f(x): return g().clean(x)", "1", "2"),
        (_own() + "def f(x):\n exec('import OWN')\n return locals().get('q', 0) or eval('__import__(\"OWN\").K')", "1", "2"),
    ),
    *edited(
        "package's module edited",
        (_package("", "K = @@") + "import OWN.part\ndef f(x): return OWN.part.K", "1", "2"),
        (_package("", "K = @@") + "from OWN import part\ndef f(x): return part.K", "1", "2"),
        (_package("from OWN.part import g", "def g(x): return @@") + "import OWN\ndef f(x): return OWN.g(x)", "1", "2"),
        (_package("K = @@", "from OWN import K") + "import OWN.part\ndef f(x): return OWN.part.K", "1", "2"),
        (_package("K2 = @@", "def g(x):\n  from . import K2\n  return K2\n") + "import OWN.part\ndef f(x): return OWN.part.g(x)", "1", "2"),
    ),
    *edited(
        "module handed on",
        (_own() + "import OWN\ndef g(m, x): return m.clean(x)\ndef f(x): return g(OWN, x)", "1", "2"),
        (_own() + "import OWN\nclass A:\n def __init__(s, m): s.m = m\na = A(OWN)\ndef f(x): return a.m.clean(x)", "1", "2"),
        (_own() + "import OWN\nL = {'s': OWN}\ndef f(x): return [m.clean(x) for m in L.values()]", "1", "2"),
        (_own() + "import OWN, functools\ndef g(m, x): return m.clean(x)\nf = functools.partial(g, OWN)", "1", "2"),
    ),
]  # fmt: skip

PATCHED: list[Edit] = [
    *followed(
        "library patched",
        (
            "old = np.mean\ndef f(x): return float(np.mean([x]))",
            "np.mean = lambda v: 42.0",
        ),
        undo="np.mean = old",
    ),
    *followed(
        "library patched",
        (
            "import json\nold = json.dumps\ndef f(x): return json.dumps([x])",
            "json.dumps = lambda v, **k: 'patched' if v == [3] else old(v, **k)",
        ),
        undo="json.dumps = old",
    ),
    *followed(
        "library patched",
        (
            "import math\nold = math.pi\ndef f(x): return math.pi",
            "math.pi = 3.0",
        ),
        undo="math.pi = old",
    ),
    *followed(
        "library patched",
        (
            "def f(x): return pd.Series([x]).twice().tolist() if hasattr(pd.Series, 'twice') else 0",
            "pd.Series.twice = lambda s: s * 2",
        ),
        undo="vars(pd.Series).get('twice') and delattr(pd.Series, 'twice')",
    ),
    *followed(
        "library patched",
        (
            "import sklearn.preprocessing as p\nold = p.StandardScaler.transform\n"
            "s = p.StandardScaler().fit([[0.0], [2.0]])\n"
            "def f(x): return float(np.ravel(s.transform([[x]]))[0])",
            "p.StandardScaler.transform = lambda self, v: np.array([[7.0]])",
        ),
        undo="p.StandardScaler.transform = old",
    ),
    *followed(
        "library patched",
        (
            "import builtins\nold = builtins.sum\ndef f(x): return sum([x, 1])",
            "builtins.sum = lambda v, *a, **k: 99 if v == [3, 1] else old(v, *a, **k)",
        ),
        undo="builtins.sum = old",
    ),
    *followed(
        "library patched",
        (
            "import torch\nold = torch.relu\ndef f(x): return float(torch.relu(torch.tensor(float(x))))",
            "torch.relu = lambda v: v * 10",
        ),
        undo="torch.relu = old",
    ),
    *followed(
        "library patched",
        (
            "import textwrap\nold = textwrap.TextWrapper.wrap\ndef f(x): return textwrap.fill('a b', 1)",
            "textwrap.TextWrapper.wrap = lambda self, text: ['z']",
        ),
        undo="textwrap.TextWrapper.wrap = old",
    ),
]  # fmt: skip
