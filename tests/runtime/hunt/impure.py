"""Functions whose results depend on more than their identity: they are computed in every run."""

from __future__ import annotations

from tests.runtime.hunt.edit import Edit, edited


def _always(kind: str, *texts: str) -> list[Edit]:
    rows = [(text, "", "") for text in texts]
    varies = not kind.startswith("state")
    return edited(kind, *rows, expects="drawn" if varies else "computed")


IMPURE: list[Edit] = [
    *_always(
        "random numbers of Python",
        "import random\ndef f(x): return random.random()",
        "import random\ndef f(x): return random.Random().random()",
        "from random import choice as c\ndef f(x): return c(range(10 ** 9))",
        "import random\nSEED = None\ndef f(x): return random.Random(SEED).getrandbits(64)",
        "import random\nl = list(range(99))\ndef f(x): return random.sample(l, 50)",
        "import secrets\ndef f(x): return secrets.token_hex()",
        "import os\ndef f(x): return os.urandom(8)",
        "import uuid\ndef f(x): return str(uuid.uuid4())",
        "import uuid\ndef f(x): return str(uuid.uuid1())",
        "import tempfile\ndef f(x): return tempfile.mktemp()",
        "n = 'random'\nimport importlib\ndef f(x): return importlib.import_module(n).random()",
    ),
    *_always(
        "random numbers of NumPy",
        "def f(x): return float(np.random.rand())",
        "def f(x): return float(np.random.default_rng().random())",
        "SEED = None\ndef f(x): return float(np.random.default_rng(SEED).normal())",
        "from numpy.random import permutation as p\ndef f(x): return p(99).tolist()",
        "g = np.random.default_rng\ndef f(x): return float(g().random())",
        "def f(x): return float(np.random.RandomState().rand())",
    ),
    *_always(
        "random numbers of torch",
        "import torch\ndef f(x): return torch.rand(4).tolist()",
        "import torch\ndef f(x): return torch.nn.Dropout()(torch.ones(99)).tolist()",
        "import torch\ndef f(x): return torch.nn.functional.dropout(torch.ones(99)).tolist()",
        "import torch\ndef f(x): return torch.distributions.Normal(0.0, 1.0).sample((4,)).tolist()",
        "import torch\ndef f(x): return torch.empty(4).uniform_().tolist()",
        "import torch\ndef f(x): return torch.nn.Linear(4, 1).weight.tolist()",
        "import torch\ndef f(x): return torch.randperm(99).tolist()",
    ),
    *_always(
        "random numbers of other libraries",
        "from sklearn.utils import shuffle\nl = list(range(99))\ndef f(x): return shuffle(l)",
        "from sklearn.utils import resample\nl = list(range(99))\ndef f(x): return resample(l)",
        "from sklearn.model_selection import train_test_split as t\nl = list(range(99))\n"
        "def f(x): return t(l)[0]",
        "t = pd.DataFrame({'k': range(99)})\ndef f(x): return t.sample(50)['k'].tolist()",
        "from scipy import stats\ndef f(x): return stats.norm.rvs(size=4).tolist()",
        "from sklearn.ensemble import RandomForestRegressor as R\nv = np.random.default_rng(0).random((40, 3))\n"
        "def f(x): return R(2).fit(v, v[:, 0] * v[:, 1]).predict(v).tolist()",
    ),
    *_always(
        "clock",
        "import time\ndef f(x): return time.time_ns()",
        "import time\ndef f(x): return time.time()",
        "import time\ndef f(x): return time.perf_counter_ns()",
        "import time\nnow = time.time\ndef f(x): return now()",
        "import datetime\ndef f(x): return str(datetime.datetime.now())",
        "import datetime as d\ndef f(x): return str(d.datetime.now(d.timezone.utc))",
        "import datetime\ndef f(x): return str(datetime.date.today())",
        "def f(x): return str(pd.Timestamp.now())",
        "def f(x): return str(np.datetime64('now'))",
        "import time\ndef f(x): return time.strftime('%Y')",
        "import logging\ndef f(x): return logging.LogRecord('', 0, '', 0, '', (), None).created",
        "import email.utils\ndef f(x): return email.utils.formatdate()",
        "import time\ndef f(x): return time.process_time_ns()",
    ),
    *_always(
        "program that gives another answer each time",
        "import subprocess\ndef f(x): return subprocess.check_output(['date', '+%N'])",
        "import os\ndef f(x):\n with os.popen('date +%N') as p: return p.read()",
    ),
    *_always(
        "state of the process",
        "n = []\ndef f(x):\n n.append(x)\n return len(n)",
        "import itertools\nc = itertools.count()\ndef f(x): return next(c)",
        "k = 0\ndef f(x):\n global k\n k += 1\n return k",
        "class A: k = 0\ndef f(x):\n A.k += 1\n return A.k",
        "import threading\ndef f(x): return threading.get_native_id()",
        "import resource\ndef f(x): return resource.getrusage(resource.RUSAGE_SELF).ru_utime",
        "import psutil\ndef f(x): return psutil.Process().cpu_times().user",
        "def f(x): return open('/proc/uptime').read()",
        "def f(x): return open('/proc/self/stat').read()",
    ),
]  # fmt: skip
