"""Edits of classes and of objects that functions use, to find unchanged digests."""

from __future__ import annotations

from tests.unit.hunting import rows

CHANGES = [
    *rows(
        "what pickling leaves out",
        (
            "import enum\nclass E(enum.Enum):\n A = 1\nE.A.more = @@\ndef f(x): return E.A.more",
            "1",
            "2",
        ),
        (
            "import enum\nclass E(enum.Enum):\n A = 1\nE.A.more = @@\nk = E.A\n"
            "def f(x): return k.more",
            "1",
            "2",
        ),
        (
            "import typing\nN = typing.NewType('N', @@)\ndef f(x): return N.__supertype__",
            "int",
            "str",
        ),
        (
            "import typing\nP = typing.ParamSpec('P', bound=@@)\ndef f(x): return P.__bound__",
            "int",
            "str",
        ),
    ),
    *rows(
        "dispatch by type",
        (
            "import functools\nclass A:\n @functools.singledispatchmethod\n"
            " def g(self, x): return 0\n @g.register\n def _(self, x: int): return @@\n"
            "def f(x): return A().g(x)",
            "1",
            "2",
        ),
        (
            "import functools\nclass A:\n @functools.singledispatchmethod\n"
            " def g(self, x): return 0\n@A.g.register\ndef _(self, x: int): return @@\na = A()\n"
            "def f(x): return a.g(x)",
            "1",
            "2",
        ),
        ("D = {'a': lambda x: x + @@}\ndef f(x): return D['a'](x)", "1", "2"),
        (
            "class P:\n __match_args__ = ('a',)\n def __init__(self): self.a = @@\ndef f(x):\n"
            " match P():\n  case P(1): return 'one'\n  case P(y): return y",
            "1",
            "2",
        ),
    ),
    *rows(
        "mixins and super",
        (
            "class A:\n def go(self): return @@\nclass B:\n def go(self): return super().go()\n"
            "class C(B, A): pass\nc = C()\ndef f(x): return c.go()",
            "1",
            "2",
        ),
        (
            "class A:\n def go(self): return @@\nclass B(A):\n"
            " def go(self): return super(B, self).go()\ndef f(x): return B().go()",
            "1",
            "2",
        ),
        (
            "import abc\nclass B(abc.ABC):\n @abc.abstractmethod\n def go(self): ...\n"
            "class A(B):\n def go(self): return @@\ndef pick(): return B.__subclasses__()[-1]\n"
            "def f(x): return pick()().go()",
            "1",
            "2",
        ),
        (
            "import types\nclass A: pass\na = A()\na.go = types.MethodType(lambda s: @@, a)\n"
            "def f(x): return a.go()",
            "1",
            "2",
        ),
    ),
    *rows(
        "looked up on the fly",
        (
            "class A:\n def __getattr__(self, n): return lambda: @@\ndef f(x): return A().zap()",
            "1",
            "2",
        ),
        (
            "class A:\n def __getattribute__(self, n): return @@\na = A()\ndef f(x): return a.zap",
            "1",
            "2",
        ),
        (
            "import operator\nclass A:\n def go(self): return @@\na = A()\n"
            "def f(x): return operator.methodcaller('g' + 'o')(a)",
            "1",
            "2",
        ),
        (
            "import operator\nclass A:\n @property\n def go(self): return @@\na = A()\n"
            "get = operator.attrgetter('go')\ndef f(x): return get(a)",
            "1",
            "2",
        ),
        ("a = @@\nN = 'a'\ndef f(x): return globals()[N]", "1", "2"),
        ("g = lambda: @@\ndef f(x): return g.__call__()", "1", "2"),
        ("def g(x): return @@\ndef f(x): return (lambda h: h(x))(g)", "1", "2"),
    ),
    *rows(
        "a class taken from an object",
        (
            "class A:\n def __init__(s): s.k = @@\na = A()\na.k = 0\n"
            "def mk(o): return o.__class__()\ndef f(x): return mk(a).k",
            "1",
            "2",
        ),
        (
            "class A:\n def __init__(s): s.k = @@\na = A()\na.k = 0\nmk = lambda c: c()\n"
            "def f(x): return mk(type(a)).k",
            "1",
            "2",
        ),
        (
            "class A:\n def __init__(s): s.k = @@\na = A()\na.k = 0\nT = type\n"
            "def f(x): return T(a)().k",
            "1",
            "2",
        ),
        (
            "import operator\nclass A:\n def __init__(s): s.k = @@\na = A()\na.k = 0\n"
            "kind = operator.attrgetter('__class__')\ndef f(x): return kind(a)().k",
            "1",
            "2",
        ),
        (
            "class A:\n def __init__(s): s.k = @@\na = A()\na.k = 0\n"
            "def f(x): return next(iter({type(y) for y in [a]}))().k",
            "1",
            "2",
        ),
        (
            "class A:\n def __init__(s): s.k = @@\na = A()\na.k = 0\n"
            "def f(x): return list(map(type, [a]))[0]().k",
            "1",
            "2",
        ),
        (
            "class A:\n def __init__(s): s.k = @@\na = A()\na.k = 0\n"
            "def f(x): return getattr(a, '__cla' + 'ss__')().k",
            "1",
            "2",
        ),
        (
            "import inspect\nclass A:\n def __init__(s): s.k = @@\na = A()\na.k = 0\n"
            "def f(x): return inspect.getmro(type(a))[0]().k",
            "1",
            "2",
        ),
        (
            "class A:\n def __init__(s): s.k = @@\n @property\n def fresh(s): return type(s)()\n"
            "a = A()\na.k = 0\ndef f(x): return a.fresh.k",
            "1",
            "2",
        ),
        (
            "class A:\n def __init__(s): s.k = @@\nclass B(A):\n"
            " def new(s): return super().__thisclass__.__mro__[1]().k\nb = B()\nb.k = 0\n"
            "def f(x): return b.new()",
            "1",
            "2",
        ),
        (
            "class A:\n def __init__(s): s.k = @@\n def new(s): return __class__().k\na = A()\n"
            "a.k = 0\ndef f(x): return a.new()",
            "1",
            "2",
        ),
        (
            "class A:\n def __init__(s): s.k = @@\n @classmethod\n def make(c): return c()\n"
            "mk = A.make\ndef f(x): return mk().k",
            "1",
            "2",
        ),
        (
            "class A:\n def __init__(s, k): s.k = k\n def __add__(s, o): return A(s.k + o + @@)\n"
            "a = A(1)\ndef f(x): return (a + 1).k",
            "1",
            "2",
        ),
    ),
    *rows(
        "copies",
        (
            "import copy\nclass A:\n def __deepcopy__(s, m): return @@\na = A()\n"
            "def f(x): return copy.deepcopy(a)",
            "1",
            "2",
        ),
        (
            "import copy\nclass A:\n def __setstate__(s, d): s.k = @@\na = A()\na.k = 0\n"
            "def f(x): return copy.copy(a).k",
            "1",
            "2",
        ),
        (
            "import copy\nclass A:\n def __init__(s): s.k = @@\n"
            " def __reduce__(s): return (A, ())\na = A()\na.k = 0\n"
            "def f(x): return copy.copy(a).k",
            "1",
            "2",
        ),
        (
            "import typing\nclass T(typing.NamedTuple):\n a: int = 1\n def go(self): return @@\n"
            "t = T()\ndef f(x): return t._replace(a=3).go()",
            "1",
            "2",
        ),
        (
            "import dataclasses as d\n@d.dataclass\nclass S:\n k: int = 0\n"
            " j: int = d.field(default_factory=lambda: @@, init=False)\ns = S()\ns.j = 5\n"
            "def f(x): return d.replace(s, k=2).j",
            "1",
            "2",
        ),
        (
            "from sklearn.base import BaseEstimator, clone\nclass E(BaseEstimator):\n"
            " def __init__(self, k=1): self.k, self.j = k, @@\ne = E()\ne.j = 0\n"
            "def f(x): return clone(e).j",
            "1",
            "2",
        ),
    ),
    *rows(
        "dataclass fields",
        (
            "import dataclasses as d\n@d.dataclass(slots=True)\nclass S:\n k: int = @@\n"
            "def f(x): return S().k",
            "1",
            "2",
        ),
        (
            "import dataclasses as d\ndef mk(): return @@\n@d.dataclass\nclass S:\n"
            " k: int = d.field(default_factory=mk)\ndef f(x): return S().k",
            "1",
            "2",
        ),
        (
            "import dataclasses as d\n@d.dataclass\nclass S:\n k: int = 0\n"
            " j: d.InitVar[int] = @@\n def __post_init__(self, j): self.k += j\n"
            "def f(x): return S().k",
            "1",
            "2",
        ),
        (
            "import dataclasses as d\n@d.dataclass\nclass S:\n"
            " k: int = d.field(default=1, metadata={'u': @@})\n"
            "def f(x): return d.fields(S)[0].metadata['u']",
            "1",
            "2",
        ),
        (
            "import dataclasses as d\n@d.dataclass\nclass S:\n k: @@ = 1\n"
            "def f(x): return d.fields(S)[0].type.__name__",
            "int",
            "str",
        ),
    ),
    *rows(
        "types for annotations",
        (
            "import typing\nT = typing.TypeVar('T', bound=@@)\ndef f(x): return T.__bound__",
            "int",
            "str",
        ),
        ("import typing\nA = typing.Annotated[int, @@]\ndef f(x): return A.__metadata__", "1", "2"),
        (
            "import typing\nclass P(typing.TypedDict, total=@@):\n a: int\n"
            "def f(x): return P.__total__",
            "True",
            "False",
        ),
    ),
    *rows(
        "names that pickle looks up",
        (
            "class A:\n def __reduce__(self): return 'a'\na = A()\na.k = @@\ndef f(x): return a.k",
            "1",
            "2",
        ),
        (
            "import numpy as np\nu = np.frompyfunc(lambda x: x + @@, 1, 1)\ndef f(x): return u(x)",
            "1",
            "2",
        ),
        (
            "import numpy as np\n@np.vectorize\ndef u(x): return x + @@\n"
            "def f(x): return int(u(x))",
            "1",
            "2",
        ),
    ),
    *rows(
        "hooks and parts of a network",
        (
            "import torch\nm = torch.nn.Linear(1, 1)\nm.weight.data[:] = 1\nm.bias.data[:] = 0\n"
            "m.register_forward_hook(lambda m, i, o: o + @@)\n"
            "def f(x): return m(torch.tensor([1.])).item()",
            "1",
            "2",
        ),
        (
            "import torch\nm = torch.nn.Linear(1, 1)\nm.weight.data[:] = 1\nm.bias.data[:] = 0\n"
            "m.register_forward_pre_hook(lambda m, i: i[0] + @@)\n"
            "def f(x): return m(torch.tensor([1.])).item()",
            "1",
            "2",
        ),
        (
            "import torch\nm = torch.nn.Linear(1, 1)\nm.weight.data[:] = 1\nm.bias.data[:] = 0\n"
            "m.forward = lambda x: x + @@\ndef f(x): return m(torch.tensor([1.])).item()",
            "1",
            "2",
        ),
        (
            "import torch\nm = torch.nn.Identity()\n"
            "m.register_buffer('b', torch.tensor(@@), persistent=False)\n"
            "def f(x): return m.b.item()",
            "1",
            "2",
        ),
        (
            "import torch\nm = torch.nn.Linear(1, 1)\nm.weight.data[:] = 1\nm.bias.data[:] = 0\n"
            "import torch.nn.utils.parametrize as p\nclass Same(torch.nn.Module):\n"
            " def forward(self, w): return w * 0 + @@\n"
            "p.register_parametrization(m, 'weight', Same())\n"
            "def f(x): return m(torch.tensor([1.])).item()",
            "1",
            "2",
        ),
        (
            "import torch\nclass M(torch.Tensor):\n @classmethod\n"
            " def __torch_function__(c, fn, t, a=(), k=None): return @@\n"
            "a = torch.ones(1).as_subclass(M)\ndef f(x): return a + 1",
            "1",
            "2",
        ),
    ),
    *rows(
        "subclasses of arrays and frames",
        (
            "import numpy as np\nclass M(np.ndarray):\n def go(s): return @@\n"
            "a = np.array([1]).view(M)\ndef f(x): return a.go()",
            "1",
            "2",
        ),
        (
            "import pandas as pd\nclass M(pd.DataFrame):\n @property\n"
            " def _constructor(s): return M\n def go(s): return @@\na = M({'a': [1]})\n"
            "def f(x): return a.copy().go()",
            "1",
            "2",
        ),
        (
            "from sklearn.preprocessing import FunctionTransformer\n"
            "t = FunctionTransformer(lambda x: x + @@)\ndef f(x): return t.transform(x)",
            "1",
            "2",
        ),
        (
            "from sklearn.preprocessing import FunctionTransformer\n"
            "t = FunctionTransformer(lambda x, k: x + k, kw_args={'k': @@})\n"
            "def f(x): return t.transform(x)",
            "1",
            "2",
        ),
    ),
    *rows(
        "references and contexts",
        (
            "import contextvars\nv = contextvars.ContextVar('v')\n"
            "c = contextvars.copy_context()\nc.run(v.set, @@)\ndef f(x): return c[v]",
            "1",
            "2",
        ),
        (
            "import weakref\nclass A: pass\na = A()\na.k = @@\nw = weakref.proxy(a)\n"
            "def f(x): return w.k",
            "1",
            "2",
        ),
        (
            "import weakref\nclass A: pass\na = A()\nd = weakref.WeakKeyDictionary({a: @@})\n"
            "def f(x): return d[a]",
            "1",
            "2",
        ),
        (
            "import weakref\nclass A: pass\na = A()\na.k = @@\n"
            "d = weakref.WeakValueDictionary({1: a})\ndef f(x): return d[1].k",
            "1",
            "2",
        ),
    ),
    *rows(
        "generators and coroutines",
        (
            "def g(x):\n y = yield x\n yield @@\ndef f(x):\n i = g(x)\n next(i)\n return i.send(3)",
            "1",
            "2",
        ),
        (
            "import asyncio\nasync def g(x): return x + @@\ndef f(x): return asyncio.run(g(x))",
            "1",
            "2",
        ),
        (
            "import asyncio\nasync def g():\n yield @@\n"
            "async def h(): return [y async for y in g()]\ndef f(x): return asyncio.run(h())",
            "1",
            "2",
        ),
    ),
    *rows(
        "descriptors told their names",
        (
            "class A:\n def __set_name__(self, o, n): o.z = @@\nclass B: a = A()\n"
            "def f(x): return B.z",
            "1",
            "2",
        ),
        (
            "class D:\n def __set_name__(s, o, n): s.n = n\n def __get__(s, o, c): return s.n\n"
            "class A: @@ = D()\ndef f(x): return [v for v in vars(A) if not v.startswith('_')]",
            "p",
            "q",
        ),
        (
            "class A:\n def __del__(s): L.append(@@)\nL = []\ndef f(x):\n a = A()\n del a\n"
            " return L.pop()",
            "1",
            "2",
        ),
    ),
    *rows(
        "objects with methods of their own",
        (
            "import enum\nclass E(enum.Enum):\n @staticmethod\n"
            " def _generate_next_value_(n, s, c, l): return @@\n A = enum.auto()\n"
            "def f(x): return E.A.value",
            "1",
            "2",
        ),
        (
            "class A:\n @@\n def go(self): return 1\na=A()\ndef f(x): return hasattr(a,'k')",
            "pass",
            "k=1",
        ),
        (
            "import random\nclass C:\n def __init__(self): self.k=random.random()*0+@@\n"
            "def mk(): return C().k\nF=mk()\ndef f(x): return F",
            "1",
            "2",
        ),
        (
            "class Reg(dict):\n def __call__(self,g): self[g.__name__]=g; return g\nR=Reg()\n@R\n"
            "def a(x): return x+@@\ndef f(x): return R['a'](x)",
            "1",
            "2",
        ),
        (
            "class A:\n def __init__(s): s.fs=[lambda x: x+@@]\n"
            " def __call__(s,x): return s.fs[0](x)\nf=A()",
            "1",
            "2",
        ),
        ("class A:\n __call__=lambda s,x: x+@@\nf=A()", "1", "2"),
        ("class L(list): pass\nl=L([1])\nl.append(@@)\ndef f(x): return l[1]", "1", "2"),
        (
            "class T(tuple):\n def __new__(c,*a): return super().__new__(c,a)\n"
            " def go(s): return s[0]+@@\nt=T(1)\ndef f(x): return t.go()",
            "1",
            "2",
        ),
        (
            "class A:\n def __init__(s): s.d={}\n def __getattr__(s,n):\n"
            "  if n=='d': raise AttributeError\n  return s.d.get(n,@@)\na=A()\n"
            "def f(x): return a.zz",
            "1",
            "2",
        ),
        (
            "class D:\n def __init__(s,g): s.g=g\n def __get__(s,o,c): return s.g(o)\nclass A:\n"
            " @D\n def k(s): return @@\na=A()\ndef f(x): return a.k",
            "1",
            "2",
        ),
        (
            "class Lazy:\n @property\n def v(s): return compute()\ndef compute(): return @@\n"
            "l=Lazy()\ndef f(x): return l.v",
            "1",
            "2",
        ),
        (
            "class A:\n def go(self, x):\n  '''@@'''\n  return 1\na=A()\nimport inspect\n"
            "def f(x): return inspect.getdoc(a.go)",
            "p",
            "q",
        ),
    ),
    *rows(
        "annotations that are read",
        (
            "import typing\ndef g(a: 'int' = @@): return a\n"
            "def f(x): return typing.get_type_hints(g), g()",
            "1",
            "2",
        ),
        (
            "from __future__ import annotations\nimport typing\ndef g(a: @@): return a\n"
            "def f(x): return typing.get_type_hints(g)",
            "int",
            "str",
        ),
        (
            "import functools\ndef g(a: @@): return a\n@functools.singledispatch\n"
            "def h(x): return 0\nh.register(g.__annotations__['a'], lambda x: 5)\n"
            "def f(x): return h(x)",
            "int",
            "str",
        ),
        (
            "import functools\n@functools.singledispatch\ndef h(x): return 0\n@h.register\n"
            "def _(x: @@): return 5\ndef f(x): return h(x)",
            "int",
            "str",
        ),
        (
            "import dataclasses as d\n@d.dataclass\nclass S:\n a: @@ = 1\n"
            " def go(self): return [f.type for f in d.fields(self)]\ns=S()\n"
            "def f(x): return s.go()",
            "int",
            "str",
        ),
        (
            "def deco(g):\n h=g.__annotations__\n def w(x): return list(h.values())[0](x)\n"
            " return w\n@deco\ndef f(x: @@): return x",
            "int",
            "str",
        ),
        (
            "import inspect\ndef deco(g):\n s=inspect.signature(g)\n"
            " def w(x): return s.parameters['x'].annotation(x)\n return w\n@deco\n"
            "def f(x: @@): return x",
            "int",
            "str",
        ),
        (
            "import inspect\ndef deco(g):\n"
            " def w(x): return inspect.signature(g).parameters['x'].annotation(x)\n return w\n"
            "@deco\ndef f(x: @@): return x",
            "int",
            "str",
        ),
        (
            "import typing, inspect\n"
            "def cast(g,x): return [t(x) for t in typing.get_type_hints(g).values()]\n"
            "def g(x: @@): return x\nG=[g]\ndef f(x): return cast(G[0],x)",
            "int",
            "str",
        ),
        (
            "class A:\n def go(self, x: @@): return 1\na=A()\nimport typing\n"
            "def f(x): return typing.get_type_hints(a.go)['x'].__name__",
            "int",
            "str",
        ),
        (
            "class A:\n def go(self, x: @@): return 1\n"
            "from inspect import getmembers, signature\n"
            "def f(x): return [str(signature(m)) for n, m in getmembers(A) if n == 'go']",
            "int",
            "str",
        ),
        (
            "class R:\n a: @@\nimport typing\nr=R()\n"
            "def f(x): return typing.get_type_hints(type(r))['a'].__name__",
            "int",
            "str",
        ),
        ("class R:\n a: @@\nr=R()\ndef f(x): return r.__annotations__", "int", "str"),
        ("class R:\n a: @@\nh='__annot'+'ations__'\ndef f(x): return getattr(R,h)", "int", "str"),
        (
            "class A:\n def go(self, x: @@): return 1\na=A()\nimport typing\n"
            "def f(x): return typing.get_type_hints(a.go)['x'].__name__",
            "int",
            "str",
        ),
        (
            "class A:\n def go(self, x: @@): return 1\na=A()\nimport typing\ndef f(x):\n g=a.go\n"
            " return typing.get_type_hints(g)['x'].__name__",
            "int",
            "str",
        ),
        (
            "class A:\n def go(self, x: @@): return 1\na=A()\nimport typing\n"
            "def h(g): return typing.get_type_hints(g)['x'].__name__\ndef f(x): return h(a.go)",
            "int",
            "str",
        ),
        (
            "class A:\n def go(self, x: @@): return 1\na=A()\n"
            "def f(x): return a.go.__annotations__",
            "int",
            "str",
        ),
        (
            "class A:\n def go(self, x: @@): return 1\na=A()\ndef f(x):\n g=a.go\n"
            " return g.__annotations__",
            "int",
            "str",
        ),
        (
            "class A:\n def go(self, x: @@): return 1\na=A()\n"
            "def f(x): return a.go.__func__.__annotations__",
            "int",
            "str",
        ),
        (
            "class A:\n def go(self, x: @@): return 1\na=A()\nimport typing\n"
            "def f(x): return typing.get_type_hints(getattr(a,'go'))['x'].__name__",
            "int",
            "str",
        ),
        (
            "class A:\n def go(self, x: @@): return 1\na=A()\nimport typing\nL=[a]\n"
            "def f(x): return [typing.get_type_hints(b.go)['x'].__name__ for b in L]",
            "int",
            "str",
        ),
        (
            "class A:\n def go(self, x: @@): return 1\na=A()\nimport operator,typing\n"
            "g=operator.attrgetter('go')\n"
            "def f(x): return typing.get_type_hints(g(a))['x'].__name__",
            "int",
            "str",
        ),
        (
            "class A:\n def go(self, @@): return 1\na=A()\nimport inspect\n"
            "def f(x): return str(inspect.signature(a.go))",
            "p",
            "q",
        ),
    ),
    *rows(
        "names and docstrings that are set",
        ("def g(x): return x\ng.__doc__='@@'\ndef f(x): return g.__doc__", "a", "b"),
        ("def f(x): return f.__qualname__\nf.__qualname__='@@'", "a", "b"),
        ("class A: pass\nA.__qualname__='@@'\ndef f(x): return A.__qualname__", "a", "b"),
    ),
    *rows(
        "metaclasses and hooks of classes",
        (
            "class A:\n def __init_subclass__(cls, **k): cls.v=k.get('v')\n"
            "class B(A, v=@@): pass\ndef f(x): return B.v",
            "1",
            "2",
        ),
        (
            "class M(type):\n def __new__(m,n,b,d): d['k']=@@; return super().__new__(m,n,b,d)\n"
            "def f(x):\n class A(metaclass=M): pass\n return A.k",
            "1",
            "2",
        ),
        (
            "class M(type):\n def __prepare__(n,b): return {'k':@@}\n"
            " __prepare__=staticmethod(__prepare__)\ndef f(x):\n class A(metaclass=M): pass\n"
            " return A.k",
            "1",
            "2",
        ),
        (
            "class M(type):\n def __iter__(c): yield @@\nclass A(metaclass=M): pass\n"
            "def f(x): return list(A)",
            "1",
            "2",
        ),
        (
            "class M(type):\n def __len__(c): return @@\nclass A(metaclass=M): pass\nC=[A]\n"
            "def f(x): return len(C[0])",
            "1",
            "2",
        ),
        (
            "import abc\nclass A(abc.ABC):\n @classmethod\n"
            " def __subclasshook__(c,o): return @@\ndef f(x): return isinstance(x,A)",
            "True",
            "False",
        ),
        (
            "class A:\n def __instancecheck__(s,o): return @@\na=A()\n"
            "def f(x): return isinstance(x,a)",
            "True",
            "False",
        ),
    ),
    *rows(
        "functions in other forms",
        ("D=dict(a=lambda x: x+@@)\ndef f(x):\n g=D.get('a')\n return g(x)", "1", "2"),
        (
            "from functools import reduce\n"
            "comp=lambda *fs: reduce(lambda a,b: lambda x: b(a(x)), fs)\n"
            "f=comp(lambda x: x+1, lambda x: x*@@)",
            "2",
            "3",
        ),
        ("def f(x, *, _c={}): return _c.setdefault('k', @@)", "1", "2"),
        ("import collections\nD=collections.OrderedDict(a=@@)\ndef f(x): return D['a']", "1", "2"),
        (
            "import contextlib\n@contextlib.contextmanager\ndef g():\n yield @@\nG=g\ndef f(x):\n"
            " with G() as k: return k",
            "1",
            "2",
        ),
        ("def g(x, /, y=1, *a, z=@@, **k): return z\ndef f(x): return g(x)", "1", "2"),
        (
            "def g(*, a, b): return a-b\nK=@@\ndef f(x): return g(**K)",
            "dict(a=1,b=2)",
            "dict(a=2,b=1)",
        ),
        (
            "async def g():\n return @@\ndef f(x):\n c=g()\n try: c.send(None)\n"
            " except StopIteration as e: return e.value",
            "1",
            "2",
        ),
        (
            "def f(x):\n return (yield_ := [y for y in gen()])\ndef gen():\n"
            " for i in range(@@): yield i",
            "2",
            "3",
        ),
    ),
    *rows(
        "functions made from text",
        (
            "import types\n"
            "f=types.FunctionType(compile('def g(x): return x+@@','<c>','exec').co_consts[0], {})",
            "1",
            "2",
        ),
        ("ns={}\nexec('def g(x): return x+@@', ns)\nf=ns['g']", "1", "2"),
        (
            "ns={}\nexec('K=@@\\ndef g(x): return x+K', ns)\ng=ns['g']\ndef f(x): return g(x)",
            "1",
            "2",
        ),
        ("f=eval('lambda x: x+@@')", "1", "2"),
    ),
    *rows(
        "parts of libraries' objects",
        ("import numpy as np\nd=np.dtype([('@@',int)])\ndef f(x): return d.names", "a", "b"),
        (
            "import torch\nm=torch.nn.Sequential(torch.nn.ReLU())\n"
            "m.add_module('b', torch.nn.@@())\ndef f(x): return m(torch.tensor([3.])).item()",
            "Sigmoid",
            "Tanh",
        ),
        (
            "import torch\nclass Fn(torch.autograd.Function):\n @staticmethod\n"
            " def forward(ctx,x): return x+@@\ndef f(x): return Fn.apply(torch.ones(1)).item()",
            "1",
            "2",
        ),
        (
            "import pandas as pd\nidx=pd.MultiIndex.from_tuples([(1,@@)])\ndef f(x): return idx[0]",
            "1",
            "2",
        ),
        (
            "import pandas as pd\nd=pd.DataFrame({'a':[1]})\nd.attrs['u']=@@\n"
            "def f(x): return d.attrs",
            "1",
            "2",
        ),
        (
            "from sklearn.tree import DecisionTreeClassifier\n"
            "m=DecisionTreeClassifier(random_state=0).fit([[0],[1]],[0,@@])\n"
            "def f(x): return m.predict([[x]])[0]",
            "1",
            "2",
        ),
        (
            "from sklearn.pipeline import Pipeline\n"
            "from sklearn.preprocessing import FunctionTransformer as F\ndef k(x): return x+@@\n"
            "p=Pipeline([('a',F(k))])\ndef f(x): return p.transform(x)",
            "1",
            "2",
        ),
        (
            "from sklearn.metrics import make_scorer\ns=make_scorer(lambda a,b: @@)\nclass E:\n"
            " _estimator_type='classifier'\n def fit(s,*a): return s\n"
            " def predict(s,x): return x\n classes_=[0,1]\ndef f(x): return s._score_func(1,2)",
            "1",
            "2",
        ),
    ),
]

SAME = [
    *rows(
        "objects that stay what they are",
        (
            "import functools\nclass A:\n @functools.singledispatchmethod\n"
            " def g(self, x): return 0\n @g.register\n def _(self, x: int): return 1@@\n"
            "def f(x): return A().g(x)",
            "",
            " # more",
        ),
        (
            "import numpy as np\nu = np.frompyfunc(lambda x: x + 1, 1, 1)@@\ndef f(x): return u(x)",
            "",
            " # more",
        ),
        (
            "import typing\nT = typing.TypeVar('T')\nclass A(typing.Generic[T]):\n"
            " def go(s): return 1@@\na = A()\ndef f(x): return a.go()",
            "",
            " # more",
        ),
        (
            "import weakref\nclass A: pass\na = A()\na.k = 1\nr = weakref.ref(a)\n"
            "def f(x): return r().k@@",
            "",
            " # more",
        ),
        (
            "import weakref\nclass A: pass\na = A()\nd = weakref.WeakKeyDictionary({a: 1})\n"
            "def f(x): return d[a]@@",
            "",
            " # more",
        ),
        (
            "import dataclasses as d\n@d.dataclass\nclass S:\n k: int = 0\n"
            " def go(self): return self.k@@\ns = S()\ndef f(x): return d.replace(s, k=x).go()",
            "",
            " # more",
        ),
        (
            "import enum\nclass E(enum.Enum):\n A = 'a'\n B = 'b'@@\ndef f(x): return E('a').name",
            "",
            " # more",
        ),
        (
            "import abc\nclass B(abc.ABC):\n @abc.abstractmethod\n def go(s): ...\nclass A(B):\n"
            " def go(s): return type(s).__name__@@\na = A()\ndef f(x): return a.go()",
            "",
            " # more",
        ),
        (
            "from sklearn.pipeline import make_pipeline\n"
            "from sklearn.preprocessing import StandardScaler, FunctionTransformer\n"
            "import numpy as np\n"
            "p = make_pipeline(FunctionTransformer(lambda a: a + 1), StandardScaler())\n"
            "p.fit(np.ones((3, 1)))@@\ndef f(x): return p.transform([[x]]).tolist()",
            "",
            " # more",
        ),
        (
            "import torch\nclass N(torch.nn.Module):\n def __init__(s):\n  super().__init__()\n"
            "  s.l = torch.nn.Linear(1, 1)\n def forward(s, x): return torch.relu(s.l(x))@@\n"
            "n = N().eval()\nfor p in n.parameters(): p.data[:] = 1\ndef f(x):\n"
            " with torch.no_grad(): return n(torch.ones(1)).item()",
            "",
            " # more",
        ),
        (
            "class A:\n __slots__ = ('k',)\n def __init__(s, k): s.k = k@@\n"
            " def __eq__(s, o): return s.k == o.k\n def __hash__(s): return hash(s.k)\na = A(1)\n"
            "def f(x): return a == A(1)",
            "",
            " # more",
        ),
        (
            "import asyncio\nasync def g(x): return x@@\ndef f(x): return asyncio.run(g(x))",
            "",
            " # more",
        ),
        (
            "import string\nT = string.Template('$a')@@\ndef f(x): return T.substitute(a=x)",
            "",
            " # more",
        ),
        (
            "import inspect\ndef g(a, b=1): return a@@\ns = inspect.signature(g)\n"
            "def f(x): return str(s)",
            "",
            " # more",
        ),
        (
            "import logging\nlog = logging.getLogger('hunted')\ndef f(x):\n log.debug('a')@@\n"
            " return x",
            "",
            " # more",
        ),
        ("from pathlib import Path\ndef f(x): return (Path('a') / 'b').suffix@@", "", " # more"),
        ("import os.path\ndef f(x): return os.path.join('a', 'b')@@", "", " # more"),
        (
            "import torch.nn.functional as F, torch\n"
            "def f(x): return F.softmax(torch.tensor([1., 2.]), -1).tolist()@@",
            "",
            " # more",
        ),
        (
            "import json, collections\nC = collections.namedtuple('C', 'a b')@@\n"
            "def f(x): return json.dumps(C(x, 2)._asdict())",
            "",
            " # more",
        ),
    ),
    *rows(
        "annotations that are not read",
        ("class A:\n def go(self, x@@): return 1\na=A()\ndef f(x): return a.go(x)", "", ": int"),
        (
            "class A:\n def go(self, x@@): return 1\na=A()\n"
            "def f(x): return list(map(str,[a.go(x)]))",
            "",
            ": int",
        ),
    ),
]
