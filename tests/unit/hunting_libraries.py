"""Edits of libraries and of their settings; `undo` of a cell restores the earlier state."""

from __future__ import annotations

from tests.unit.hunting import rows

CHANGES = [
    *rows(
        "what a library uses itself",
        (
            "import torch\nold = torch.nn.functional.relu\n"
            "torch.nn.functional.relu = lambda x, inplace=False: x + @@\n"
            "def undo(): torch.nn.functional.relu = old\nm = torch.nn.ReLU()\n"
            "def f(x): return m(torch.ones(1)).item()",
            "1",
            "2",
        ),
        (
            "import scipy.special as s\nold = s.expit\ns.expit = lambda x: @@\n"
            "def undo(): s.expit = old\ndef f(x): return s.expit(x)",
            "1",
            "2",
        ),
        (
            "import collections\nold = collections.Counter.most_common\n"
            "collections.Counter.most_common = lambda s: @@\n"
            "def undo(): collections.Counter.most_common = old\n"
            "c = collections.Counter('a')\ndef f(x): return c.most_common()",
            "1",
            "2",
        ),
    ),
    *rows(
        "a library's function replaced",
        (
            "import numpy as np\nold = np.sqrt\nnp.sqrt = lambda x: x + @@\n"
            "def undo(): np.sqrt = old\ndef f(x): return np.sqrt(x)",
            "1",
            "2",
        ),
        (
            "import math\nold = math.sqrt\nmath.sqrt = lambda x: @@\n"
            "def undo(): math.sqrt = old\ndef f(x): return math.sqrt(x)",
            "1",
            "2",
        ),
        (
            "import math\nold = math.sqrt\nmath.sqrt = lambda x: @@\n"
            "def undo(): math.sqrt = old\ndef f(x): return getattr(math, 'sq' + 'rt')(x)",
            "1",
            "2",
        ),
        (
            "import json\nold = json.dumps\njson.dumps = lambda x: @@\n"
            "def undo(): json.dumps = old\ndef f(x): return json.dumps(x)",
            "1",
            "2",
        ),
        (
            "import statistics\nold = statistics.mean\nstatistics.mean = lambda x: @@\n"
            "def undo(): statistics.mean = old\ndef g(m): return m.mean([1])\n"
            "def f(x): return g(statistics)",
            "1",
            "2",
        ),
        (
            "import statistics\nold = statistics.mean\nstatistics.mean = lambda x: @@\n"
            "def undo(): statistics.mean = old\nget = statistics.__dict__.get\n"
            "def f(x): return get('mean')([1])",
            "1",
            "2",
        ),
        (
            "import sklearn.metrics\nold = sklearn.metrics.accuracy_score\n"
            "sklearn.metrics.accuracy_score = lambda *a: @@\n"
            "def undo(): sklearn.metrics.accuracy_score = old\ndef f(x):\n"
            " from sklearn.metrics import accuracy_score\n return accuracy_score(1, 2)",
            "1",
            "2",
        ),
        (
            "import builtins\nold = len\nbuiltins.len = lambda x: @@\n"
            "def undo(): builtins.len = old\ndef f(x): return len([x])",
            "1",
            "2",
        ),
        (
            "import json.encoder\nold = json.encoder.INFINITY\njson.encoder.INFINITY = @@\n"
            "def undo(): json.encoder.INFINITY = old\ndef f(x): return json.encoder.INFINITY",
            "1",
            "2",
        ),
        (
            "import statistics\nold = statistics.fsum\nstatistics.fsum = lambda x: @@\n"
            "def undo(): statistics.fsum = old\ndef f(x): return statistics.fmean([1, 2])",
            "1",
            "2",
        ),
        (
            "import functools, math\nold = math.floor\n"
            "math.floor = functools.partial(lambda n, x: n, @@)\ndef undo(): math.floor = old\n"
            "def f(x): return math.floor(x)",
            "1",
            "2",
        ),
        (
            "import numpy as np\nold = np.sqrt\nnp.sqrt = lambda x: @@\n"
            "def undo(): np.sqrt = old\nimport statistics\n"
            "def g(name): return getattr(np, name)(4)\ndef f(x): return g('sqrt')",
            "1",
            "2",
        ),
    ),
    *rows(
        "a library's method replaced",
        (
            "import json\nold = json.JSONEncoder.default\n"
            "json.JSONEncoder.default = lambda s, o: @@\n"
            "def undo(): json.JSONEncoder.default = old\ndef f(x): return json.dumps(object)",
            "1",
            "2",
        ),
        (
            "import textwrap\nold = textwrap.TextWrapper.fill\n"
            "textwrap.TextWrapper.fill = lambda s, t: @@\n"
            "def undo(): textwrap.TextWrapper.fill = old\ndef f(x): return textwrap.fill('a')",
            "1",
            "2",
        ),
        (
            "import pprint\nold = pprint.PrettyPrinter.format\n"
            "pprint.PrettyPrinter.format = lambda s, *a: ('@@', True, False)\n"
            "def undo(): pprint.PrettyPrinter.format = old\ndef f(x): return pprint.pformat(x)",
            "1",
            "2",
        ),
        (
            "import pandas as pd\nold = pd.DataFrame.sum\npd.DataFrame.sum = lambda s: @@\n"
            "def undo(): pd.DataFrame.sum = old\ndef f(x): return pd.DataFrame({'a': [1]}).sum()",
            "1",
            "2",
        ),
        (
            "import pandas as pd\nold = pd.DataFrame.sum\npd.DataFrame.sum = lambda s: @@\n"
            "def undo(): pd.DataFrame.sum = old\ndef g(d): return d.sum()\n"
            "def f(x): return g(D)\nD = pd.DataFrame({'a': [1]})",
            "1",
            "2",
        ),
        (
            "import torch\nold = torch.nn.Linear.forward\n"
            "torch.nn.Linear.forward = lambda s, x: x + @@\n"
            "def undo(): torch.nn.Linear.forward = old\nm = torch.nn.Linear(1, 1)\n"
            "m.weight.data[:] = 1\nm.bias.data[:] = 0\n"
            "def f(x): return m(torch.tensor([1.])).item()",
            "1",
            "2",
        ),
        (
            "import sklearn.base as b\nold = b.BaseEstimator.__repr__\n"
            "b.BaseEstimator.__repr__ = lambda s: '@@'\n"
            "def undo(): b.BaseEstimator.__repr__ = old\nfrom sklearn.linear_model import Ridge\n"
            "r = Ridge()\ndef f(x): return repr(r)",
            "1",
            "2",
        ),
    ),
    *rows(
        "what is put into a library's class",
        (
            "import fractions\nfractions.Fraction.zz = lambda s: @@\n"
            "def undo(): del fractions.Fraction.zz\nq = fractions.Fraction(1)\n"
            "def f(x): return q.zz()",
            "1",
            "2",
        ),
        (
            "import pandas as pd\npd.DataFrame.total = lambda s: @@\n"
            "def undo(): del pd.DataFrame.total\nd = pd.DataFrame({'a': [1]})\n"
            "def f(x): return d.total()",
            "1",
            "2",
        ),
        (
            "import pandas as pd\npd.DataFrame.total = property(lambda s: @@)\n"
            "def undo(): del pd.DataFrame.total\ndef make(d):\n def f(x, d=d): return d.total\n"
            " return f\nf = make(pd.DataFrame({'a': [1]}))",
            "1",
            "2",
        ),
        (
            "import pandas as pd\n@pd.api.extensions.register_dataframe_accessor('hunted')\n"
            "class G:\n def __init__(s, o): pass\n def k(s): return @@\ndef undo():\n"
            " del pd.DataFrame.hunted\n pd.DataFrame._accessors.discard('hunted')\n"
            "def f(x): return pd.DataFrame({'a': [1]}).hunted.k()",
            "1",
            "2",
        ),
        (
            "import torch\ntorch.Tensor.total = lambda s: @@\n"
            "def undo(): del torch.Tensor.total\nt = torch.ones(1)\ndef f(x): return t.total()",
            "1",
            "2",
        ),
    ),
    *rows(
        "what is registered with a library",
        (
            "import torch\n"
            "h = torch.nn.modules.module.register_module_forward_hook(lambda m, i, o: o + @@)\n"
            "undo = h.remove\nm = torch.nn.Identity()\n"
            "def f(x): return m(torch.tensor([1.])).item()",
            "1",
            "2",
        ),
        (
            "import copyreg, copy\nclass A: pass\ncopyreg.pickle(A, lambda a: (int, (@@,)))\n"
            "def undo(): del copyreg.dispatch_table[A]\na = A()\ndef f(x): return copy.copy(a)",
            "1",
            "2",
        ),
        (
            "import collections.abc as c\nclass A: pass\n@@\na = A()\n"
            "def f(x): return isinstance(a, c.Sequence)",
            "",
            "c.Sequence.register(A)",
        ),
        (
            "import numbers\nclass A: pass\n@@\ndef f(x): return issubclass(A, numbers.Number)",
            "",
            "numbers.Number.register(A)",
        ),
    ),
    *rows(
        "settings of libraries",
        (
            "import torch\n@@\ndef undo(): torch.set_default_dtype(torch.float32)\n"
            "def f(x): return torch.tensor([1.5]).dtype",
            "",
            "torch.set_default_dtype(torch.float64)",
        ),
        (
            "import torch\ntorch.set_grad_enabled(@@)\ndef undo(): torch.set_grad_enabled(True)\n"
            "w = torch.ones(1, requires_grad=True)\ndef f(x): return (w * 2).requires_grad",
            "True",
            "False",
        ),
        (
            "import decimal\nold = decimal.getcontext().prec\ndecimal.getcontext().prec = @@\n"
            "def undo(): decimal.getcontext().prec = old\n"
            "def f(x): return str(decimal.Decimal(1) / 3)",
            "5",
            "6",
        ),
        (
            "import numpy as np\nold = np.seterr(divide='@@')\ndef undo(): np.seterr(**old)\n"
            "def f(x): return np.array([1.]) / 0",
            "raise",
            "ignore",
        ),
        (
            "import numpy as np\nold = np.get_printoptions()['precision']\n"
            "np.set_printoptions(precision=@@)\ndef undo(): np.set_printoptions(precision=old)\n"
            "a = np.array([1.23456789])\ndef f(x): return str(a)",
            "2",
            "4",
        ),
        (
            "import sklearn, numpy as np\nsklearn.set_config(transform_output='@@')\n"
            "def undo(): sklearn.set_config(transform_output='default')\n"
            "from sklearn.preprocessing import StandardScaler\n"
            "s = StandardScaler().fit(np.ones((2, 1)))\n"
            "def f(x): return type(s.transform(np.ones((2, 1)))).__name__",
            "default",
            "pandas",
        ),
        (
            "import pandas as pd\npd.set_option('display.precision', @@)\n"
            "def undo(): pd.reset_option('display.precision')\n"
            "d = pd.DataFrame({'a': [1.23456789]})\ndef f(x): return str(d)",
            "2",
            "4",
        ),
        (
            "import matplotlib\nmatplotlib.rcParams['font.size'] = @@\n"
            "def undo(): matplotlib.rcdefaults()\n"
            "def f(x): return matplotlib.rcParams['font.size']",
            "11.0",
            "20.0",
        ),
        (
            "import warnings\nold = warnings.catch_warnings()\nold.__enter__()\n"
            "warnings.simplefilter('@@')\ndef undo(): old.__exit__(None, None, None)\ndef f(x):\n"
            " warnings.warn('seen')\n return 1",
            "error",
            "ignore",
        ),
        (
            "import PIL.Image\nold = PIL.Image.MAX_IMAGE_PIXELS\n"
            "PIL.Image.MAX_IMAGE_PIXELS = @@\ndef undo(): PIL.Image.MAX_IMAGE_PIXELS = old\n"
            "def f(x): return PIL.Image.MAX_IMAGE_PIXELS",
            "None",
            "9",
        ),
        (
            "import locale\nlocale.setlocale(locale.LC_NUMERIC, '@@')\n"
            "def undo(): locale.setlocale(locale.LC_NUMERIC, 'C')\n"
            "def f(x): return locale.setlocale(locale.LC_NUMERIC)",
            "C",
            "C.UTF-8",
        ),
    ),
]

SAME = [
    *rows(
        "settings that count for nothing",
        (
            "import warnings\nold = warnings.catch_warnings()\nold.__enter__()\n"
            "warnings.simplefilter('@@')\ndef undo(): old.__exit__(None, None, None)\n"
            "def f(x): return x + 1",
            "default",
            "ignore",
        ),
        ("import numpy as np\nimport json@@\ndef f(x): return float(np.sqrt(x))", "", ", csv"),
        (
            "import matplotlib\n@@\ndef undo(): matplotlib.rcdefaults()\nimport json\n"
            "def f(x): return json.dumps(x)",
            "",
            "matplotlib.rcParams['font.size'] = 20.0",
        ),
        (
            "import torch\n@@\ntorch.set_default_dtype(torch.float32)\n"
            "def f(x): return torch.tensor([1.5]).dtype",
            "",
            "torch.set_default_dtype(torch.float64)",
        ),
        (
            "import numpy as np\nold = np.sqrt\n@@\nnp.sqrt = old\n"
            "def f(x): return float(np.sqrt(x))",
            "",
            "np.sqrt = len",
        ),
    ),
]
