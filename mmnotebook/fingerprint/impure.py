"""Effects that make the result of a function depend on more than its argument."""

from __future__ import annotations

import functools
import itertools
import sys
import types
from collections.abc import Iterator
from typing import Any

from mmnotebook.fingerprint.bytecode import MISSING, Link, Reading
from mmnotebook.graph.names import is_a

CLOCK, RANDOM, FILES = "reads the clock", "draws random numbers", "opens files"
ENVIRONMENT, NETWORK = "reads the environment", "uses the network"
PROCESSES, THREADS = "starts other processes", "uses threads"
CODE, LOOKS, KERNEL, USER = (
    "runs code that cannot be analyzed",
    "uses objects that cannot be analyzed",
    "depends on the process",
    "reads user input",
)
OBSERVED = frozenset({FILES, NETWORK})
"""Effects that can be observed while code runs, so they need not prevent a fingerprint."""

_NAMES = {
    CLOCK: """
        time.time time.time_ns time.monotonic time.monotonic_ns time.perf_counter
        time.perf_counter_ns time.process_time time.process_time_ns time.thread_time
        time.localtime time.gmtime time.ctime time.asctime time.strftime
        datetime.datetime.now datetime.datetime.utcnow datetime.datetime.today datetime.date.today
        pandas.Timestamp.now pandas.Timestamp.utcnow pandas.Timestamp.today timeit.default_timer""",
    RANDOM: """
        torch.rand torch.randn torch.randint torch.randperm torch.rand_like torch.randn_like
        torch.randint_like torch.normal torch.bernoulli torch.multinomial torch.poisson
        torch.initial_seed torch.get_rng_state torch.seed torch.Generator pyarrow.compute.random
        os.urandom uuid.uuid1 uuid.uuid4""",
    FILES: """
        builtins.open io.open io.FileIO os.open os.listdir os.scandir os.walk os.stat os.getcwd
        os.remove os.rename os.makedirs os.mkdir os.path.exists os.path.isfile os.path.isdir
        os.path.getsize os.path.getmtime codecs.open gzip.open bz2.open lzma.open tarfile.open
        linecache.getline linecache.getlines numpy.fromfile numpy.memmap numpy.save numpy.savez
        numpy.savez_compressed numpy.savetxt torch.save torch.jit.load torch.jit.save joblib.dump
        cv2.imread cv2.imwrite cv2.VideoCapture pandas.ExcelFile pandas.HDFStore pandas.ExcelWriter
        pandas.read_sql pandas.read_clipboard pandas.read_hdf pathlib.Path.cwd pathlib.Path.home""",
    ENVIRONMENT: """
        os.environ os.environb os.getenv os.getenvb os.putenv sys.argv socket.gethostname
        platform.node getpass.getuser""",
    PROCESSES: "os.system os.popen os.fork os.execv os.posix_spawn",
    CODE: """
        builtins.eval builtins.exec builtins.__import__ builtins.globals
        importlib.import_module importlib.reload""",
    LOOKS: """
        sys.modules sys._getframe sys._current_frames inspect.currentframe inspect.stack
        inspect.getsource inspect.getsourcelines gc.get_objects gc.get_referrers
        gc.get_referents""",
    KERNEL: """
        builtins.id builtins.hash os.getpid threading.get_ident torch.get_num_threads
        torch.get_num_interop_threads""",
    USER: "builtins.input getpass.getpass",
}
_FROM_MEMORY = """
    PIL.Image.open numpy.load numpy.loadtxt numpy.genfromtxt torch.load joblib.load wave.open
    zipfile.ZipFile soundfile.read pandas.read_csv pandas.read_table pandas.read_fwf
    pandas.read_parquet pandas.read_feather pandas.read_json pandas.read_excel pandas.read_pickle
    pandas.read_xml pandas.read_html pandas.read_orc matplotlib.pyplot.imread imageio.imread
    imageio.v2.imread imageio.v3.imread torchaudio.load"""
_MODULES = {
    **dict.fromkeys(("random", "numpy.random", "secrets"), RANDOM),
    **dict.fromkeys(("shutil", "tempfile", "glob", "fileinput", "sqlite3"), FILES),
    **dict.fromkeys(("requests", "urllib.request", "urllib3", "httpx", "aiohttp"), NETWORK),
    **dict.fromkeys(("socket", "http.client", "ftplib", "smtplib", "boto3"), NETWORK),
    **dict.fromkeys(("subprocess", "multiprocessing"), PROCESSES),
    **dict.fromkeys(("threading", "concurrent.futures"), THREADS),
}
_PARENTS = sorted(
    {
        ".".join(parts[:count])
        for name in " ".join((*_NAMES.values(), _FROM_MEMORY)).split()
        for parts in [name.split(".")]
        for count in range(1, len(parts))
    }
)
_OF_TEXT = """
    numpy.datetime64 pandas.Timestamp pandas.to_datetime pandas.DatetimeIndex pandas.Period
    pandas.PeriodIndex pandas.date_range pandas.bdate_range pandas.period_range"""
"""Date parsers in compiled code, for which the texts in `_OF_CLOCK` mean the current time."""
_DATES = ("datetime64", "M8", "<M8")
"""Prefixes of texts that name date types."""
_OF_CLOCK = ("now", "today")
_SEEDED = {"default_rng", "RandomState", "SeedSequence", "PCG64", "Philox", "MT19937", "Random"}
_GENERATORS = {
    ("numpy", "Generator"),
    ("numpy", "RandomState"),
    ("random", "Random"),
    ("torch", "Generator"),
}
_LOOSE = {
    **dict.fromkeys(("read_text", "read_bytes", "write_text", "write_bytes", "open"), FILES),
    **dict.fromkeys(("iterdir", "exists", "is_file", "is_dir"), FILES),
    **dict.fromkeys(("urlopen",), NETWORK),
    **dict.fromkeys(("__subclasses__", "__globals__", "f_globals", "f_locals", "f_back"), LOOKS),
}
_LOOSE_IN_FUNCTIONS = dict.fromkeys(
    ["random_", "normal_", "uniform_", "bernoulli_", "exponential_", "log_normal_", "rvs"], RANDOM
)


def now() -> Impure:
    """Return the impure objects of the currently loaded modules."""
    return _of_modules(tuple(id(sys.modules.get(name)) for name in _PARENTS))


@functools.lru_cache(maxsize=1)
def _of_modules(_: tuple[int, ...]) -> Impure:
    return Impure()


class Impure:
    """The impure objects of the loaded modules."""

    def __init__(self) -> None:
        self._alive: list[Any] = []  # keeps objects alive: ids of deleted objects are reused
        self._objects: dict[int, tuple[str, str]] = {}
        self._members: dict[tuple[int, str], tuple[str, str]] = {}
        self._from_memory: set[str] = set(_FROM_MEMORY.split())
        self._of_text = {id(value) for name in _OF_TEXT.split() if (value := _loaded(name))}
        for does, names in ((FILES, _FROM_MEMORY), *_NAMES.items()):
            for name in names.split():
                self._add(name, does)

    def _add(self, name: str, does: str) -> None:
        module_name, _, last = name.rpartition(".")
        parent: Any = sys.modules.get(module_name)
        if parent is None:
            outer, _, inner = module_name.rpartition(".")
            parent = vars(sys.modules[outer]).get(inner) if outer in sys.modules else None
        if parent is None:
            return
        self._members.setdefault((id(parent), last), (does, name))
        self._alive.append(parent)
        value = vars(parent).get(last) if isinstance(parent, types.ModuleType) else None
        if value is not None:
            self._objects.setdefault(id(value), (does, name))
            self._alive.append(value)

    def of_value(self, value: Any) -> tuple[str, str]:
        """Return the effect of a library's value: (`FILES`, "opens files (open)"), or ("", "")."""
        if is_generator(value):
            return RANDOM, f"{RANDOM} ({getattr(value, '__name__', type(value).__name__)})"
        does, name = self._objects.get(id(value), ("", ""))
        return does, does and f"{does} ({name.removeprefix('builtins.')})"

    def of_code(
        self, reading: Reading, ignored: set[str], is_method: bool
    ) -> Iterator[tuple[str, str]]:
        """Yield the effects of code that make its result depend on more than the argument."""
        in_memory = any(is_a_buffer(link.value) for link in reading.links)
        for link in reading.links:
            does, known = self._link(link)
            if does is None or does in ignored:
                continue
            if in_memory and known in self._from_memory:
                continue
            shown = link.text if "." in link.text or not known else known
            yield does, f"{does} ({shown.removeprefix('builtins.')})"
        if made := self._made_now(reading):
            yield CLOCK, f"{CLOCK} ({made})"
        loose = _LOOSE if is_method else {**_LOOSE, **_LOOSE_IN_FUNCTIONS}
        found = [] if in_memory else sorted(reading.loose.intersection(loose))
        for name in found:
            yield loose[name], f"{loose[name]} ({name})"

    def _made_now(self, reading: Reading) -> str:
        """Return a date parser or type in code that contains "now" or "today", else ""."""
        read = (one.value for one in reading.links if isinstance(one.value, str))
        texts = {*reading.texts, *read}
        if not any(text.lower() in _OF_CLOCK for text in texts):
            return ""
        made = (one.text for one in reading.links if id(one.value) in self._of_text)
        named = (text for text in sorted(texts) if text.startswith(_DATES))
        return next(itertools.chain(made, named), "")

    def _link(self, link: Link) -> tuple[str | None, str]:
        """Return the effect of reading a name, or None, and the full name for messages."""
        if is_generator(link.value):
            return RANDOM, _known(link)
        member = self._members.get((id(link.parent), link.attribute))
        found = member or self._objects.get(id(link.value))
        if found is not None:
            return found
        does = _of_module(link)
        name = getattr(link.value, "__name__", link.attribute)
        if does == RANDOM and link.given and name in _SEEDED:
            return None, ""
        return does, _known(link)


def _loaded(name: str) -> Any:
    module, _, last = name.rpartition(".")
    return vars(sys.modules[module]).get(last) if module in sys.modules else None


def _known(link: Link) -> str:
    home = getattr(link.value, "__module__", None)
    has_name = isinstance(home, str) and hasattr(link.value, "__name__")
    return f"{home}.{link.attribute or link.text}" if has_name else link.text


def _of_module(link: Link) -> str | None:
    """Return the effect of the module that contains a name, or that defines the name's value."""
    if isinstance(link.value, types.ModuleType):
        return None
    homes = [getattr(link.parent, "__name__", None)] * isinstance(link.parent, types.ModuleType)
    if callable(link.value) and link.value is not MISSING:
        homes.append(getattr(link.value, "__module__", None))
    for home in homes:
        parts = home.split(".") if isinstance(home, str) else []
        for count in range(len(parts), 0, -1):
            if (name := ".".join(parts[:count])) in _MODULES:
                return _MODULES[name]
    return None


def is_generator(value: Any) -> bool:
    """Return whether a value is a random number generator, or a method of one."""
    return is_a(value, _GENERATORS) or is_a(getattr(value, "__self__", None), _GENERATORS)


def is_a_buffer(value: Any) -> bool:
    return (
        isinstance(value, type)
        and value.__module__ in ("io", "_io")
        and (value.__name__ in ("BytesIO", "StringIO"))
    )
