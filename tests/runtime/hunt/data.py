"""Data that is changed in place, loaded again or read from files, and edited graphs."""

from __future__ import annotations

from tests.runtime.hunt.edit import Edit, edited, followed, regraphed

_ROWS = "\ndef truth(): return [f(row) for row in data.to_dict('records')]"
_IDS = "\ndef truth(): return [str(i) for i in data.index]\ndef seen(r, out): return r[out]['id']"
_COLUMN = "\ndef f(row): return list(row)" + _ROWS

IN_PLACE: list[Edit] = [
    *followed(
        "data: list changed in place",
        ("data = [1, 2]\ndef f(x): return x", "data[0] = 7"),
        ("data = [1, 2]\ndef f(x): return x", "data.append(7)"),
        ("data = [1, 2]\ndef f(x): return x", "data.reverse()"),
        ("data = [1, 2]\ndef f(x): return x", "data[0] = 1.0"),
        ("data = [1, 2]\ndef f(x): return x", "data[0] = True"),
        ("data = [[1], [2]]\ndef f(x): return x", "data[0].append(7)"),
        ("data = [{'k': 1}]\ndef f(x): return x", "data[0]['k'] = 7"),
        ("data = [{'k': 1, 'j': 2}]\ndef f(x): return list(x)", "data[0]['k'] = data[0].pop('k')"),
        ("data = [{'k': np.arange(2)}]\ndef f(x): return x['k'].tolist()", "data[0]['k'][0] = 7"),
        ("data = ['a']\ndef f(x): return x", "data[0] = b'a'"),
    ),
    *followed(
        "data: array changed in place",
        ("data = np.arange(3)\ndef f(x): return int(x)", "data[0] = 7"),
        ("data = np.arange(4.0).reshape(2, 2)\ndef f(x): return float(x.sum())", "data[0, 0] = 7"),
        ("base = np.arange(4.0)\ndata = base[::2]\ndef f(x): return float(x)", "base[2] = 7"),
        ("data = np.arange(2, dtype='i4')\ndef f(x): return str(x.dtype)", "data = data.astype('i8')"),
        ("data = np.arange(4.0)\ndef f(x): return float(np.sum(x))", "data.shape = (2, 2)"),
        ("import torch\ndata = torch.zeros(2)\ndef f(x): return float(x)", "data[0] = 7"),
        ("import torch\ndata = torch.zeros(2)\ndef f(x): return float(x)", "data.data.add_(1)"),
        ("import torch\ndata = torch.zeros(2)\ndef f(x): return str(x.dtype)", "data = data.double()"),
    ),
    *followed(
        "data: frame changed in place",
        ("data = pd.DataFrame({'k': [1, 2]})\ndef f(row): return row['k']" + _ROWS, "data.loc[0, 'k'] = 7"),
        ("data = pd.DataFrame({'k': [1, 2]})" + _COLUMN, "data['j'] = 1"),
        ("data = pd.DataFrame({'k': [1, 2]})" + _COLUMN, "data.columns = ['z']"),
        ("data = pd.DataFrame({'k': [1], 'j': [2]})" + _COLUMN, "data = data[['j', 'k']]"),
        ("data = pd.DataFrame({'k': [1, 2]})\ndef f(row): return row['k']" + _ROWS, "data.drop(1, inplace=True)"),
        ("data = pd.DataFrame({'k': [[1]]})\ndef f(row): return row['k']" + _ROWS, "data['k'][0].append(2)"),
        ("data = pd.DataFrame({'k': [np.ones(2)]})\ndef f(row): return row['k'].tolist()" + _ROWS, "data['k'][0][0] = 2"),
        ("data = pd.DataFrame({'k': [1, 2]})\ndef f(row): return row['k']" + _IDS, "data.index = ['p', 'q']"),
        ("data = pd.DataFrame({'k': [1, 2]}, index=['p', 'q'])\ndef f(row): return row['k']\ndef truth(): return [str(sorted(data['k'].items()))]\ndef seen(r, out): return [str(sorted(zip(r[out]['id'], r[out]['value'])))]", "data.index = ['q', 'p']"),
        ("data = pd.Series([1, 2])\ndef f(x): return x", "data.iloc[0] = 7"),
        ("data = pd.DataFrame({'k': pd.Categorical(['a', 'b'])})\ndef f(row): return row['k']" + _ROWS, "data['k'] = data['k'].cat.rename_categories(['b', 'a'])"),
        ("data = pd.DataFrame({'k': pd.to_datetime(['2024-01-01'])})\ndef f(row): return str(row['k'])" + _ROWS, "data['k'] = data['k'].dt.tz_localize('UTC')"),
        ("data = pd.DataFrame({'k': [1, 2]})\ndef f(row): return type(row['k']).__name__" + _ROWS, "data['k'] = data['k'].astype(float)"),
        ("data = pd.DataFrame({'k': [1.5, 2]})\ndef f(row): return row['k']" + _ROWS, "data.iloc[1, 0] = float('nan')"),
    ),
    *followed(
        "data: dict of columns changed in place",
        ("data = {'k': [1, 2]}\ndef f(row): return row['k']\ndef truth(): return [f({'k': k}) for k in data['k']]", "data['k'][0] = 7"),
        ("data = {'k': np.arange(2)}\ndef f(row): return int(row['k'])\ndef truth(): return [f({'k': k}) for k in data['k']]", "data['k'][0] = 7"),
    ),
    *followed(
        "data: objects of a class of the user's",
        ("class A:\n def __init__(self, k): self.k = k\ndata = [A(1)]\ndef f(x): return x.k", "data[0].k = 2"),
        ("class A:\n def go(self): return 1\ndata = [A()]\ndef f(x): return x.go()", "A.go = lambda self: 2"),
        ("class A:\n def go(self): return 1\ndata = [A()]\ndef f(x): return x.go()", "class A:\n def go(self): return 2\ndata = [A()]"),
        ("import dataclasses as c\n@c.dataclass\nclass A:\n k: int\n def __post_init__(self): self.j = self.k\ndata = [A(1)]\ndef f(x): return x.j", "data[0].j = 2"),
        ("module('OWN', 'class A:\\n def go(self): return 1\\n')\nimport OWN\ndata = [OWN.A()]\ndef f(x): return x.go()", "module('OWN', 'class A:\\n def go(self): return 2\\n')\nimport OWN\ndata = [OWN.A()]"),
        ("import enum\nclass E(enum.Enum):\n A = 1\n B = 2\ndata = [E.A]\ndef f(x): return x.value", "data[0] = E.B"),
        ("import types\ndata = [types.SimpleNamespace(k=1)]\ndef f(x): return x.k", "data[0].k = 2"),
        alone=True,
    ),
    *followed(
        "data: an open memory map",
        ("data = np.memmap(put('a.bin', b'\\1\\2'), 'u1', 'r+')\ndef f(x): return int(x)", "data[0] = 7"),
        ("put('a.bin', b'\\1\\2')\ndata = np.memmap(T + 'a.bin', 'u1', 'r')\nw = np.memmap(T + 'a.bin', 'u1', 'r+')\ndef f(x): return int(x)", "w[0] = 7"),
    ),
]  # fmt: skip

_FILE = "\ndef f(row): return row['k']\n"
_CSV = _FILE + "def truth(): return pd.read_csv(T + 'a.csv')['k'].tolist()"
_PARQUET = _FILE + "def truth(): return pd.read_parquet(T + 'a.parquet')['k'].tolist()"
_GLOB = _FILE + (
    "import glob\n"
    "def truth(): return [k for p in sorted(glob.glob(T + 's/*.csv')) for k in pd.read_csv(p)['k']]"
)
_ONE, _TWO = "put('s/a.csv', 'k\\n1\\n')\n", "put('s/b.csv', 'k\\n2\\n')\n"
_FRESH = "import shutil\nshutil.rmtree(T + 's', True)\n"

FILES: list[Edit] = [
    *edited(
        "data: a file",
        ("data = put('a.csv', 'k\\n@@\\n')" + _CSV, "1", "2"),
        ("data = put('a.csv', 'k\\n@@\\n')" + _CSV, "1", "1\\n2"),
        ("data = put('a.jsonl', '{\"k\": @@}\\n')" + _FILE + "def truth(): return [@@]", "1", "2"),
        ("data = T + 'a.parquet'\npd.DataFrame({'k': [@@]}).to_parquet(data)" + _PARQUET, "1", "2"),
        ("data = T + 'a.parquet'\npd.DataFrame({'k': [@@]}).to_parquet(data)" + _PARQUET, "1", "1.0"),
        ("data = T + 'a.npy'\nnp.save(data, np.array([@@]))\ndef f(x): return int(x)\ndef truth(): return [@@]", "1", "2"),
        ("data = stamped('a.csv', lambda p: put('a.csv', 'k\\n@@\\n'))" + _CSV, "1", "2"),
        ("data = stamped('a.parquet', lambda p: pd.DataFrame({'k': [@@]}).to_parquet(p))" + _PARQUET, "1", "2"),
        ("import gzip\ndata = put('a.csv.gz', gzip.compress(b'k\\n@@\\n', mtime=0))" + _FILE + "def truth(): return [@@]", "1", "2"),
        ("data = put('@@.csv', 'k\\n@@\\n')" + _FILE + "def truth(): return [@@]", "1", "2"),
    ),
    *followed(
        "data: a file edited in place",
        ("data = T + 'a.npy'\nnp.save(data, np.array([1]))\nm = np.lib.format.open_memmap(data, 'r+')\nm[0] = 2\ndef f(x): return int(x)\ndef truth(): return [int(m[0])]", "m[0] = 7"),
        ("data = put('a.csv', 'k\\n1\\n')" + _CSV, "with open(data, 'a') as file: file.write('2\\n')"),
        ("import os\nput('p.csv', 'k\\n1\\n')\nput('q.csv', 'k\\n2\\n')\ndata = T + 'a.csv'\nos.path.lexists(data) and os.remove(data)\nos.symlink(T + 'p.csv', data)" + _CSV, "os.remove(data)\nos.symlink(T + 'q.csv', data)"),
        ("import os\nput('p.csv', 'k\\n2\\n')\ndata = put('a.csv', 'k\\n1\\n')" + _CSV, "os.replace(T + 'p.csv', data)"),
    ),
    *followed(
        "data: a glob's files",
        (_FRESH + _ONE + "data = T + 's/*.csv'" + _GLOB, _TWO),
        (_FRESH + _ONE + _TWO + "data = T + 's/*.csv'" + _GLOB, "import os\nos.remove(T + 's/b.csv')"),
        (_FRESH + _ONE + _TWO + "data = T + 's/*.csv'" + _GLOB, "put('s/b.csv', 'k\\n3\\n')"),
        (_FRESH + _ONE + "data = T + 's/*.csv'" + _GLOB + "\ndef seen(r, out): return [i.rsplit('/')[-1] for i in r[out]['id']]\ndef truth(): return [p.rsplit('/')[-1] + '#0' for p in sorted(glob.glob(T + 's/*.csv'))]", "import os\nos.rename(T + 's/a.csv', T + 's/c.csv')"),
        (_FRESH + _ONE + _TWO + "data = T + 's/*.csv'" + _GLOB, "a, b = open(T + 's/a.csv').read(), open(T + 's/b.csv').read()\nput('s/a.csv', b)\nput('s/b.csv', a)"),
    ),
]  # fmt: skip

_BEAM = "import apache_beam as beam\n"

BEAM: list[Edit] = [
    *edited(
        "data: a transform of Beam's",
        (_BEAM + "data = beam.Create([@@])\ndef f(x): return x\ndef truth(): return [@@]", "1", "2"),
        (_BEAM + "put('a.txt', '@@\\n')\ndata = beam.io.ReadFromText(T + 'a.txt')\ndef f(x): return x\ndef truth(): return ['@@']", "A", "B"),
    ),
]  # fmt: skip

_TOP = """
data = [1, 2, 3]
rows = pd.DataFrame({'a': [1, 2], 'b': [10, 20]})
def one(x): return x + 1
def two(x): return x * 10
def row(x): return list(map(str, x))
def even(x): return x % 2 == 0
def odd(x): return x % 2 == 1
def few(x): return [x]
def pair(x): return [x, x]
def low(x): return 'p' if x < 3 else 'q'
def high(x): return 'p' if x < 2 else 'q'
def left(v): return v['l']
def total(v): return sum(v.values())
"""


GRAPHS: list[Edit] = [
    *regraphed(
        "graph: order of the steps",
        ("out = data | @@", "one | two", "two | one", "[20, 30, 40]", "[11, 21, 31]"),
        ("out = data | @@", "one | filter(even)", "filter(even) | one", "[2, 4]", "[3]"),
        top=_TOP,
    ),
    *regraphed(
        "graph: another function",
        ("out = data | @@", "one", "two", "[2, 3, 4]", "[10, 20, 30]"),
        ("out = data | filter(@@)", "even", "odd", "[2]", "[1, 3]"),
        ("out = data | flat_map(@@)", "few", "pair", "[1, 2, 3]", "[1, 1, 2, 2, 3, 3]"),
        top=_TOP,
    ),
    *regraphed(
        "graph: kind of the step",
        ("out = data | @@(few)", "map", "flat_map", "[[1], [2], [3]]", "[1, 2, 3]"),
        ("out = data | @@(even)", "map", "filter", "[False, True, False]", "[2]"),
        top=_TOP,
    ),
    *regraphed(
        "graph: fields that are selected",
        ("out = rows['@@'] | one", "a", "b", "[2, 3]", "[11, 21]"),
        ("out = rows[@@] | row", "['a', 'b']", "['b', 'a']", "[['1', '10'], ['2', '20']]", "[['10', '1'], ['20', '2']]"),
        ("out = rows.drop('@@') | row", "a", "b", "[['10'], ['20']]", "[['1'], ['2']]"),
        top=_TOP,
    ),
    *regraphed(
        "graph: names in a join",
        ("p = data | one\nq = data | two\nout = {'l': @@} | left", "p, 'r': q", "q, 'r': p", "[2, 3, 4]", "[10, 20, 30]"),
        top=_TOP,
    ),
    *regraphed(
        "graph: branches of a switch",
        ("out = data | switch(@@, p=one, q=two) | one", "low", "high", "[3, 4, 31]", "[3, 21, 31]"),
        ("out = data | switch(low, p=@@) | one", "one, q=two", "two, q=one", "[3, 4, 31]", "[11, 21, 5]"),
        top=_TOP,
    ),
    *regraphed(
        "graph: members of a list",
        ("p = data | one\nq = data | two\nout = @@ | total", "[p, q]", "[p]", "[12, 23, 34]", "[2, 3, 4]"),
        ("p = data | one\nq = data | two\nout = [p, q] | @@()", "mean", "stack", "[6.0, 11.5, 17.0]", "[[2, 10], [3, 20], [4, 30]]"),
        top=_TOP,
    ),
    *regraphed(
        "graph: what is missing in a join",
        ("p = data | filter(even)\nout = [data, p] | map(total, missing='@@')", "skip", "use rest", "[4]", "[1, 4, 3]"),
        top=_TOP,
    ),
    *regraphed(
        "graph: pins of a split",
        (
            "out = data | split(one=0.5, two=0.5, pin={'0': 'one', '1': 'one', '2': '@@'})",
            "one",
            "two",
            "[[2, 3, 4], []]\ndef seen(r, out): return [r[n]['value'].tolist() for n in ('one', 'two')]",
            "[[2, 3], [30]]",
        ),
        top=_TOP,
    ),
]  # fmt: skip
