"""Settings of libraries and of the process that a function's results depend on."""

from __future__ import annotations

from tests.runtime.hunt.edit import Edit, edited

_TABLE = "t = pd.DataFrame({'a': [1.23456, 1000.5]})\n"

SETTINGS: list[Edit] = [
    *edited(
        "pandas option",
        (_TABLE + "pd.set_option('display.precision', @@)\ndef f(x): return str(t)", "2", "3"),
        undo="pd.reset_option('display.precision')",
    ),
    *edited(
        "pandas option",
        (_TABLE + "pd.set_option('display.max_rows', @@)\ndef f(x): return repr(t)", "60", "1"),
        undo="pd.reset_option('display.max_rows')",
    ),
    *edited(
        "pandas option",
        (
            "pd.options.future.infer_string = @@\n"
            "def f(x): return str(pd.Series(['a']).dtype)",
            "False",
            "True",
        ),
        undo="pd.options.future.infer_string = False",
        alone=True,
    ),
    *edited(
        "pandas option",
        (
            "pd.options.display.float_format = '{:.@@f}'.format\n" + _TABLE
            + "def f(x): return t.to_string()",
            "1",
            "4",
        ),
        undo="pd.reset_option('display.float_format')",
    ),
    *edited(
        "pandas option",
        (
            "import warnings\nwith warnings.catch_warnings():\n warnings.simplefilter('ignore')\n"
            " pd.set_option('mode.use_inf_as_na', @@)\n"
            "def f(x): return bool(pd.Series([float('inf')]).isna()[0])",
            "False",
            "True",
        ),
        undo="pd.reset_option('mode.use_inf_as_na')",
    ),
    *edited(
        "numpy errstate",
        (
            "np.seterr(divide='@@')\ndef f(x):\n try: return float(np.float64(x) / 0)\n"
            " except FloatingPointError: return 'refused'",
            "ignore",
            "raise",
        ),
        undo="np.seterr(divide='warn')",
    ),
    *edited(
        "numpy errstate",
        (
            "np.seterr(over='@@')\ndef f(x):\n try: return float(np.exp(np.float64(x * 999)))\n"
            " except FloatingPointError: return 'refused'",
            "ignore",
            "raise",
        ),
        undo="np.seterr(over='warn')",
    ),
    *edited(
        "numpy errstate",
        ("np.seterr(invalid='@@')\ndef f(x): return np.geterr()['invalid']", "ignore", "print"),
        undo="np.seterr(invalid='warn')",
    ),
    *edited(
        "numpy print options",
        ("np.set_printoptions(precision=@@)\ndef f(x): return str(np.array([x / 7]))", "3", "5"),
        undo="np.set_printoptions(precision=8)",
    ),
    *edited(
        "numpy print options",
        ("np.set_printoptions(threshold=@@)\ndef f(x): return str(np.arange(30))", "1000", "5"),
        undo="np.set_printoptions(threshold=1000)",
    ),
    *edited(
        "scikit-learn configuration",
        (
            "import sklearn\nsklearn.set_config(assume_finite=@@)\n"
            "def f(x): return sklearn.get_config()['assume_finite']",
            "False",
            "True",
        ),
        undo="sklearn.set_config(assume_finite=False)",
    ),
    *edited(
        "scikit-learn configuration",
        (
            "import sklearn\nfrom sklearn.preprocessing import StandardScaler\n"
            "sklearn.set_config(transform_output='@@')\n"
            "def f(x): return type(StandardScaler().fit_transform([[1.0], [2.0]])).__name__",
            "default",
            "pandas",
        ),
        undo="sklearn.set_config(transform_output='default')",
    ),
    *edited(
        "scikit-learn configuration",
        (
            "import sklearn\nfrom sklearn.linear_model import Lasso\n"
            "sklearn.set_config(print_changed_only=@@)\ndef f(x): return repr(Lasso())",
            "True",
            "False",
        ),
        undo="sklearn.set_config(print_changed_only=True)",
    ),
    *edited(
        "decimal context",
        (
            "import decimal\ndecimal.getcontext().prec = @@\n"
            "def f(x): return str(decimal.Decimal(x) / 7)",
            "5",
            "9",
        ),
        undo="decimal.setcontext(decimal.Context())",
    ),
    *edited(
        "decimal context",
        (
            "import decimal\ndecimal.getcontext().rounding = decimal.@@\n"
            "def f(x): return str(decimal.Decimal('2.5').quantize(decimal.Decimal(1)))",
            "ROUND_HALF_EVEN",
            "ROUND_UP",
        ),
        undo="decimal.setcontext(decimal.Context())",
    ),
    *edited(
        "decimal context",
        (
            "import decimal\ndecimal.getcontext().traps[decimal.DivisionByZero] = @@\n"
            "def f(x):\n try: return str(decimal.Decimal(x) / 0)\n"
            " except decimal.DivisionByZero: return 'refused'",
            "False",
            "True",
        ),
        undo="decimal.setcontext(decimal.Context())",
    ),
    *edited(
        "torch's default dtype",
        (
            "import torch\ntorch.set_default_dtype(torch.@@)\n"
            "def f(x): return str(torch.tensor([1.5]).dtype)",
            "float32",
            "float64",
        ),
        (
            "import torch\ntorch.set_default_dtype(torch.@@)\n"
            "def f(x): return (torch.tensor(1.0) / 3).item() == 1 / 3",
            "float32",
            "float64",
        ),
        undo="torch.set_default_dtype(torch.float32)",
    ),
    *edited(
        "torch's grad mode",
        (
            "import torch\ntorch.set_grad_enabled(@@)\ndef f(x): return torch.is_grad_enabled()",
            "True",
            "False",
        ),
        (
            "import torch\ntorch.set_grad_enabled(@@)\nw = torch.ones(1, requires_grad=True)\n"
            "def f(x): return (w * 2).requires_grad",
            "True",
            "False",
        ),
        undo="torch.set_grad_enabled(True)",
    ),
    *edited(
        "torch's other settings",
        (
            "import torch\ntorch.use_deterministic_algorithms(@@)\n"
            "def f(x): return torch.are_deterministic_algorithms_enabled()",
            "False",
            "True",
        ),
        undo="torch.use_deterministic_algorithms(False)",
    ),
    *edited(
        "torch's other settings",
        (
            "import torch\ntorch.set_float32_matmul_precision('@@')\n"
            "def f(x): return torch.get_float32_matmul_precision()",
            "highest",
            "medium",
        ),
        undo="torch.set_float32_matmul_precision('highest')",
    ),
    *edited(
        "torch's other settings",
        (
            "import torch\ntorch.set_default_device('@@')\n"
            "def f(x): return str(torch.ones(1).device)",
            "cpu",
            "meta",
        ),
        undo="torch.set_default_device(None)",
        alone=True,
    ),
    *edited(
        "torch's other settings",
        (
            "import torch\ntorch.set_printoptions(precision=@@)\n"
            "def f(x): return repr(torch.tensor(0.123456))",
            "4",
            "2",
        ),
        undo="torch.set_printoptions(profile='default')",
    ),
    *edited(
        "matplotlib's rcParams",
        (
            "import matplotlib\nmatplotlib.rcParams['font.size'] = @@\n"
            "def f(x): return matplotlib.rcParams['font.size']",
            "10.0",
            "20.0",
        ),
        (
            "import matplotlib\nfrom matplotlib.figure import Figure\n"
            "matplotlib.rcParams['figure.dpi'] = @@\ndef f(x): return float(Figure().dpi)",
            "100",
            "50",
        ),
        undo="matplotlib.rcdefaults()",
    ),
    *edited(
        "locale",
        (
            "import locale\nlocale.setlocale(locale.LC_ALL, '@@')\n"
            "def f(x): return locale.setlocale(locale.LC_CTYPE)",
            "C",
            "C.UTF-8",
        ),
        undo="locale.setlocale(locale.LC_ALL, 'C.UTF-8')",
    ),
    *edited(
        "time zone",
        (
            "import datetime, os, time\nos.environ['TZ'] = '@@'\ntime.tzset()\n"
            "def f(x): return datetime.datetime.fromtimestamp(0).hour",
            "UTC",
            "Asia/Tokyo",
        ),
        (
            "import os, time\nos.environ['TZ'] = '@@'\ntime.tzset()\n"
            "def f(x): return time.strftime('%H', time.localtime(0))",
            "UTC",
            "Asia/Tokyo",
        ),
        undo="os.environ.pop('TZ', None)\ntime.tzset()",
    ),
    *edited(
        "context variable",
        (
            "import contextvars\nmodule('OWN', 'import contextvars\\n"
            "level = contextvars.ContextVar(\"level\", default=0)\\n"
            "def get(): return level.get()\\n')\n"
            "import OWN\nOWN.level.set(@@)\ndef f(x): return OWN.get()",
            "1",
            "2",
        ),
        undo="pass",
    ),
    *edited(
        "setting of the interpreter",
        (
            "import sys\nsys.set_int_max_str_digits(@@)\ndef f(x):\n"
            " try: return len(str(10 ** 700))\n except ValueError: return 'refused'",
            "0",
            "640",
        ),
        undo="sys.set_int_max_str_digits(4300)",
    ),
    *edited(
        "setting of the interpreter",
        (
            "import sys\nsys.setrecursionlimit(@@)\ndef f(x): return sys.getrecursionlimit()",
            "3000",
            "3100",
        ),
        undo="sys.setrecursionlimit(1000)",
    ),
    *edited(
        "setting of the interpreter",
        ("import sys\nsys.argv = ['@@']\ndef f(x): return sys.argv[0]", "p", "q"),
        undo="sys.argv = ['p']",
    ),
    *edited(
        "setting of the standard library",
        (
            "import calendar\ncalendar.setfirstweekday(@@)\n"
            "def f(x): return calendar.weekheader(2)",
            "0",
            "6",
        ),
        undo="calendar.setfirstweekday(0)",
    ),
    *edited(
        "setting of the standard library",
        (
            "import socket\nsocket.setdefaulttimeout(@@)\n"
            "def f(x): return socket.getdefaulttimeout()",
            "None",
            "3.0",
        ),
        undo="socket.setdefaulttimeout(None)",
    ),
    *edited(
        "setting of the standard library",
        (
            "import csv\ncsv.register_dialect('hunted', delimiter='@@')\n"
            "def f(x): return next(csv.reader(['a;b,c'], 'hunted'))",
            ",",
            ";",
        ),
        undo="csv.unregister_dialect('hunted')",
    ),
    *edited(
        "setting of the standard library",
        (
            "import mimetypes\nmimetypes.add_type('text/@@', '.hunted')\n"
            "def f(x): return mimetypes.guess_type('a.hunted')[0]",
            "p",
            "q",
        ),
        undo="mimetypes.init()",
    ),
    *edited(
        "setting of the standard library",
        (
            "import logging\nlogging.getLogger('hunted').setLevel(@@)\n"
            "def f(x): return logging.getLogger('hunted').isEnabledFor(20)",
            "10",
            "30",
        ),
        undo="logging.getLogger('hunted').setLevel(0)",
    ),
    *edited(
        "warnings turned into errors",
        (
            "import warnings\nwarnings.filterwarnings('@@', 'hunted')\ndef f(x):\n"
            " try: warnings.warn('hunted')\n except UserWarning: return 'refused'\n return 'told'",
            "ignore",
            "error",
        ),
        undo="warnings.resetwarnings()\nwarnings.simplefilter('ignore')",
    ),
    *edited(
        "environment variable",
        (
            "import os\nos.environ['HUNTED'] = '@@'\ndef f(x): return os.environ['HUNTED']",
            "p",
            "q",
        ),
        (
            "import os\nos.environ['HUNTED'] = '@@'\ndef f(x): return os.getenv('HUNTED')",
            "p",
            "q",
        ),
        (
            "import os\nos.environ['HUNTED'] = '@@'\n"
            "def f(x): return os.path.expandvars('$HUNTED')",
            "p",
            "q",
        ),
        (
            "import os\nos.environ['HUNTED'] = '@@'\ndef get(n): return os.environ.get(n)\n"
            "def f(x): return get('HUN' + 'TED')",
            "p",
            "q",
        ),
        (
            "import os\nfrom os import environ as e\ne['HUNTED'] = '@@'\n"
            "def f(x): return {**e}['HUNTED']",
            "p",
            "q",
        ),
        (
            "import os\nos.environ['HUNTED'] = '@@'\n"
            "def f(x): return [n for n in os.environ if n.startswith('HUNT')] + "
            "[os.environb[b'HUNTED']]",
            "p",
            "q",
        ),
        undo="os.environ.pop('HUNTED', None)",
    ),
    *edited(
        "environment variable",
        (
            "import os\nold = os.environ['HOME']\nos.environ['HOME'] = '@@'\n"
            "def f(x): return os.path.expanduser('~/a')",
            "/tmp/p",
            "/tmp/q",
        ),
        undo="os.environ['HOME'] = '/root'",
    ),
    *edited(
        "environment variable found missing",
        (
            "import os\n@@\ndef f(x): return os.environ.get('HUNTED_TOO', 'missing')",
            "",
            "os.environ['HUNTED_TOO'] = 'p'",
        ),
        (
            "import os\n@@\ndef f(x): return 'HUNTED_TOO' in os.environ",
            "",
            "os.environ['HUNTED_TOO'] = 'p'",
        ),
        undo="os.environ.pop('HUNTED_TOO', None)",
    ),
    *edited(
        "environment variable read by a library",
        (
            "import os\nos.environ['NO_COLOR'] = '@@'\nimport urllib.request\n"
            "os.environ['http_proxy'] = 'http://@@'\n"
            "def f(x): return urllib.request.getproxies().get('http')",
            "p",
            "q",
        ),
        undo="os.environ.pop('NO_COLOR', None)\nos.environ.pop('http_proxy', None)",
    ),
    *edited(
        "setting of Keras",
        (
            "import os\nos.environ.setdefault('KERAS_BACKEND', 'torch')\nimport keras\n"
            "keras.config.set_floatx('@@')\ndef f(x): return keras.config.floatx()",
            "float32",
            "float64",
        ),
        undo="keras.config.set_floatx('float32')",
    ),
    *edited(
        "setting of PyTorch's threads",
        (
            "import torch\nold = torch.get_num_threads()\ntorch.set_num_threads(@@)\n"
            "def f(x): return torch.get_num_threads()",
            "1",
            "2",
        ),
        undo="torch.set_num_threads(2)",
    ),
]  # fmt: skip
