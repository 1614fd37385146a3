"""Files and folders that a function reads with any library, and files that it looks for."""

from __future__ import annotations

from tests.runtime.hunt.edit import Edit, edited, followed

_A = "put('a.txt', '@@')\n"
_PATH = "from pathlib import Path\n"

READERS: list[Edit] = [
    *edited(
        "file opened",
        (_A + "def f(x): return open(T + 'a.txt').read()", "A", "B"),
        (_A + "def f(x):\n with open(T + 'a.txt', 'rb') as file: return file.read()", "A", "B"),
        (_A + "def f(x): return next(iter(open(T + 'a.txt')))", "A", "B"),
        (_A + "import io\ndef f(x): return io.FileIO(T + 'a.txt').read()", "A", "B"),
        (_A + "import os\ndef f(x): return os.read(os.open(T + 'a.txt', os.O_RDONLY), 9)", "A", "B"),
        (_A + "import codecs\ndef f(x): return codecs.open(T + 'a.txt', 'r').read()", "A", "B"),
        (
            _A + "import mmap\ndef f(x):\n with open(T + 'a.txt', 'rb') as file: "
            "return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)[:]",
            "A",
            "B",
        ),
        (_A + "import fileinput\ndef f(x): return list(fileinput.input([T + 'a.txt']))", "A", "B"),
    ),
    *edited(
        "file read by pathlib",
        (_A + _PATH + "def f(x): return Path(T + 'a.txt').read_text()", "A", "B"),
        (_A + _PATH + "def f(x): return (Path(T) / 'a.txt').read_bytes()", "A", "B"),
        (_A + _PATH + "P = Path(T)\ndef f(x): return (P / f'{chr(97)}.txt').read_text()", "A", "B"),
        (_A + _PATH + "def f(x): return [p.read_text() for p in Path(T).iterdir()]", "A", "B"),
    ),
    *edited(
        "path that comes from elsewhere",
        (_A + "p = T + 'a.txt'\ndef f(x): return open(p).read()", "A", "B"),
        (_A + "def f(x, p=T + 'a.txt'): return open(p).read()", "A", "B"),
        (_A + "def make(p): return lambda x: open(p).read()\nf = make(T + 'a.txt')", "A", "B"),
        (_A + "data = [T + 'a.txt']\ndef f(x): return open(x).read()", "A", "B"),
        (_A + "data = [{'p': T + 'a.txt'}]\ndef f(x): return open(x['p']).read()", "A", "B"),
        (_A + "class A: p = T + 'a.txt'\ndef f(x): return open(A.p).read()", "A", "B"),
        (_A + "def f(x): return open(T + ''.join(['a', '.', 'txt'])).read()", "A", "B"),
        ("put('3.txt', '@@')\ndef f(x): return open(f'{T}{x}.txt').read()", "A", "B"),
        ("import os\nos.environ['HUNTED_P'] = put('a.txt', '@@')\ndef f(x): return open(os.environ['HUNTED_P']).read()", "A", "B"),
        ("put('way.txt', T + 'a.txt')\nput('a.txt', '@@')\ndef f(x): return open(open(T + 'way.txt').read()).read()", "A", "B"),
    ),
    *edited(
        "file read by NumPy",
        ("np.save(T + 'a.npy', np.array([@@]))\ndef f(x): return np.load(T + 'a.npy')", "1", "2"),
        ("np.savez(T + 'a.npz', k=[@@])\ndef f(x): return np.load(T + 'a.npz')['k']", "1", "2"),
        ("np.save(T + 'a.npy', np.array([@@]))\ndef f(x): return int(np.load(T + 'a.npy', mmap_mode='r')[0])", "1", "2"),
        ("put('a.txt', '@@')\ndef f(x): return float(np.loadtxt(T + 'a.txt'))", "1", "2"),
        ("put('a.txt', '@@,1')\ndef f(x): return np.genfromtxt(T + 'a.txt', delimiter=',')", "1", "2"),
        ("np.array([@@], 'i8').tofile(T + 'a.bin')\ndef f(x): return np.fromfile(T + 'a.bin', 'i8')", "1", "2"),
        ("np.array([@@], 'i8').tofile(T + 'a.bin')\ndef f(x): return int(np.memmap(T + 'a.bin', 'i8', 'r')[0])", "1", "2"),
    ),
    *edited(
        "file read by pandas",
        ("put('a.csv', 'k\\n@@\\n')\ndef f(x): return pd.read_csv(T + 'a.csv')['k'].tolist()", "1", "2"),
        ("put('a.csv', 'k\\n@@\\n')\ndef f(x): return pd.read_csv(T + 'a.csv', engine='python')['k'].tolist()", "1", "2"),
        ("put('a.csv', 'k\\n@@\\n')\ndef f(x): return pd.read_csv(T + 'a.csv', engine='pyarrow')['k'].tolist()", "1", "2"),
        ("pd.DataFrame({'k': [@@]}).to_parquet(T + 'a.pq')\ndef f(x): return pd.read_parquet(T + 'a.pq')['k'].tolist()", "1", "2"),
        ("put('a.json', '[{\"k\": @@}]')\ndef f(x): return pd.read_json(T + 'a.json')['k'].tolist()", "1", "2"),
        ("pd.Series([@@]).to_pickle(T + 'a.pkl')\ndef f(x): return pd.read_pickle(T + 'a.pkl').tolist()", "1", "2"),
        ("pd.DataFrame({'k': [@@]}).to_feather(T + 'a.fe')\ndef f(x): return pd.read_feather(T + 'a.fe')['k'].tolist()", "1", "2"),
        ("put('a.txt', 'k  j\\n@@  1\\n')\ndef f(x): return pd.read_fwf(T + 'a.txt')['k'].tolist()", "1", "2"),
    ),
    *edited(
        "file read by PyArrow",
        ("put('a.csv', 'k\\n@@\\n')\nimport pyarrow.csv as c\ndef f(x): return c.read_csv(T + 'a.csv').to_pylist()", "1", "2"),
        ("put('a.json', '{\"k\": @@}')\nimport pyarrow.json as c\ndef f(x): return c.read_json(T + 'a.json').to_pylist()", "1", "2"),
        ("pd.DataFrame({'k': [@@]}).to_parquet(T + 'a.pq')\nimport pyarrow.parquet as c\ndef f(x): return c.read_table(T + 'a.pq').to_pylist()", "1", "2"),
        ("pd.DataFrame({'k': [@@]}).to_parquet(T + 'a.pq')\nimport pyarrow.dataset as c\ndef f(x): return c.dataset(T + 'a.pq').to_table().to_pylist()", "1", "2"),
        ("put('a.txt', '@@')\nimport pyarrow as pa\ndef f(x):\n with pa.memory_map(T + 'a.txt') as m: return m.read()", "1", "2"),
        ("put('a.txt', '@@')\nimport pyarrow as pa\ndef f(x):\n with pa.OSFile(T + 'a.txt') as m: return m.read()", "1", "2"),
        ("put('a.txt', '@@')\nfrom pyarrow import fs\ndef f(x):\n with fs.LocalFileSystem().open_input_stream(T + 'a.txt') as m: return m.read()", "1", "2"),
    ),
    *edited(
        "file of settings",
        ("put('a.json', '@@')\nimport json\ndef f(x): return json.load(open(T + 'a.json'))", "1", "2"),
        ("put('a.toml', 'k = @@')\nimport tomllib\ndef f(x): return tomllib.load(open(T + 'a.toml', 'rb'))['k']", "1", "2"),
        ("put('a.yaml', 'k: @@')\nimport yaml\ndef f(x): return yaml.safe_load(open(T + 'a.yaml'))['k']", "1", "2"),
        ("put('a.ini', '[s]\\nk = @@\\n')\nimport configparser\ndef f(x):\n c = configparser.ConfigParser()\n c.read(T + 'a.ini')\n return c['s']['k']", "1", "2"),
        ("put('a.xml', '<a>@@</a>')\nimport xml.etree.ElementTree as E\ndef f(x): return E.parse(T + 'a.xml').getroot().text", "1", "2"),
        ("put('a.xml', '<a>@@</a>')\nfrom xml.dom import minidom\ndef f(x): return minidom.parse(T + 'a.xml').toxml()", "1", "2"),
        ("put('a.csv', '@@,1')\nimport csv\ndef f(x): return list(csv.reader(open(T + 'a.csv')))", "1", "2"),
        ("import plistlib\nplistlib.dump({'k': @@}, open(T + 'a.plist', 'wb'))\ndef f(x): return plistlib.load(open(T + 'a.plist', 'rb'))['k']", "1", "2"),
    ),
    *edited(
        "archive",
        ("import zipfile\nwith zipfile.ZipFile(T + 'a.zip', 'w') as z: z.writestr('k', '@@')\ndef f(x): return zipfile.ZipFile(T + 'a.zip').read('k')", "1", "2"),
        ("import tarfile\nput('k', '@@')\nwith tarfile.open(T + 'a.tar', 'w') as z: z.add(T + 'k', 'k')\nimport os\nos.remove(T + 'k')\ndef f(x): return tarfile.open(T + 'a.tar').extractfile('k').read()", "1", "2"),
        ("import gzip\nput('a.gz', gzip.compress(b'@@', mtime=0))\ndef f(x): return gzip.open(T + 'a.gz').read()", "1", "2"),
        ("import bz2\nput('a.bz2', bz2.compress(b'@@'))\ndef f(x): return bz2.open(T + 'a.bz2').read()", "1", "2"),
        ("import lzma\nput('a.xz', lzma.compress(b'@@'))\ndef f(x): return lzma.open(T + 'a.xz').read()", "1", "2"),
    ),
    *edited(
        "database",
        ("import sqlite3, os\nos.path.exists(T + 'a.db') and os.remove(T + 'a.db')\nc = sqlite3.connect(T + 'a.db')\nc.execute('create table t (k)')\nc.execute('insert into t values (@@)')\nc.commit()\nc.close()\nc = None\ndef f(x):\n c = sqlite3.connect(T + 'a.db')\n found = c.execute('select k from t').fetchall()\n c.close()\n return found", "1", "2"),
        ("import sqlite3, os\nos.path.exists(T + 'a.db') and os.remove(T + 'a.db')\nc = sqlite3.connect(T + 'a.db')\npd.DataFrame({'k': [@@]}).to_sql('t', c)\nc.close()\nc = None\ndef f(x):\n c = sqlite3.connect(T + 'a.db')\n found = pd.read_sql('select k from t', c)['k'].tolist()\n c.close()\n return found", "1", "2"),
        ("import dbm.dumb as b\nwith b.open(T + 'a', 'n') as z: z['k'] = '@@'\ndef f(x):\n with b.open(T + 'a', 'r') as z: return z['k']", "1", "2"),
        ("import h5py\nwith h5py.File(T + 'a.h5', 'w') as z: z['k'] = @@\ndef f(x):\n with h5py.File(T + 'a.h5', 'r') as z: return int(z['k'][()])", "1", "2"),
    ),
    *edited(
        "pickled file",
        ("import pickle\nput('a.pkl', pickle.dumps([@@]))\ndef f(x): return pickle.load(open(T + 'a.pkl', 'rb'))", "1", "2"),
        ("import joblib\njoblib.dump([@@], T + 'a.joblib')\ndef f(x): return joblib.load(T + 'a.joblib')", "1", "2"),
        ("import joblib\njoblib.dump(np.array([@@]), T + 'a.joblib')\ndef f(x): return int(joblib.load(T + 'a.joblib', mmap_mode='r')[0])", "1", "2"),
        ("import scipy.io\nscipy.io.savemat(T + 'a.mat', {'k': @@})\ndef f(x): return int(scipy.io.loadmat(T + 'a.mat')['k'][0, 0])", "1", "2"),
        ("import scipy.sparse as s\ns.save_npz(T + 'a.npz', s.csr_matrix([[0, @@]]))\ndef f(x): return int(s.load_npz(T + 'a.npz').sum())", "1", "2"),
    ),
    *edited(
        "weights that a function loads",
        ("import torch\ntorch.save(torch.tensor([@@]), T + 'a.pt')\ndef f(x): return torch.load(T + 'a.pt').tolist()", "1", "2"),
        ("import torch\ntorch.save(torch.tensor([@@]), T + 'a.pt')\ndef f(x): return torch.load(T + 'a.pt', mmap=True).tolist()", "1", "2"),
        ("from safetensors.numpy import save_file, load_file\nsave_file({'k': np.array([@@])}, T + 'a.st')\ndef f(x): return load_file(T + 'a.st')['k'].tolist()", "1", "2"),
        ("import torch\nfrom safetensors.torch import save_file\nfrom safetensors import safe_open\nsave_file({'k': torch.tensor([@@])}, T + 'a.st')\ndef f(x):\n with safe_open(T + 'a.st', 'pt') as file: return file.get_tensor('k').tolist()", "1", "2"),
        ("import torch\nm = torch.jit.trace(torch.nn.Hardtanh(0.0, @@), torch.ones(1))\nm.save(T + 'a.pt')\ndel m\ndef f(x): return torch.jit.load(T + 'a.pt')(torch.tensor([9.0])).tolist()", "1.0", "2.0"),
    ),
    *edited(
        "pictures and sound",
        ("from PIL import Image\nImage.new('L', (1, 1), @@).save(T + 'a.png')\ndef f(x): return Image.open(T + 'a.png').getpixel((0, 0))", "1", "2"),
        ("import matplotlib.image as i\ni.imsave(T + 'a.png', np.full((1, 1), @@), vmin=0, vmax=9)\ndef f(x): return i.imread(T + 'a.png').tolist()", "1", "9"),
        ("from scipy.io import wavfile\nwavfile.write(T + 'a.wav', 9, np.array([@@], 'int16'))\ndef f(x): return wavfile.read(T + 'a.wav')[1].tolist()", "1", "2"),
    ),
    *edited(
        "file that is code",
        ("put('a.py', 'k = @@')\nimport runpy\ndef f(x): return runpy.run_path(T + 'a.py')['k']", "1", "2"),
        ("put('a.py', 'k = @@')\ndef f(x):\n n = {}\n exec(open(T + 'a.py').read(), n)\n return n['k']", "1", "2"),
        ("put('OWN/__init__.py', '')\nput('OWN/k.txt', '@@')\nimport pkgutil\ndef f(x): return pkgutil.get_data('OWN', 'k.txt')", "1", "2"),
        ("put('OWN/__init__.py', '')\nput('OWN/k.txt', '@@')\nfrom importlib import resources\ndef f(x): return resources.files('OWN').joinpath('k.txt').read_text()", "1", "2"),
        ("put('a.py', 'k = @@ # ' + '-' * @@)\nimport importlib.util as u\ndef f(x):\n s = u.spec_from_file_location('a', T + 'a.py')\n m = u.module_from_spec(s)\n s.loader.exec_module(m)\n return m.k", "1", "2"),
    ),
    *edited(
        "what is said of a file",
        ("put('a.txt', 'a' * @@)\nimport os\ndef f(x): return os.path.getsize(T + 'a.txt')", "1", "2"),
        ("put('a.txt', 'a' * @@)\nimport os\ndef f(x): return os.stat(T + 'a.txt').st_size", "1", "2"),
        ("put('a.txt', 'a')\nimport os\nos.utime(T + 'a.txt', (@@, @@))\ndef f(x): return os.path.getmtime(T + 'a.txt')", "1", "2"),
        (_A + "import hashlib\ndef f(x): return hashlib.file_digest(open(T + 'a.txt', 'rb'), 'md5').hexdigest()", "A", "B"),
        ("put('a.txt', 'a')\nimport os\nos.chmod(T + 'a.txt', 0o@@)\ndef f(x): return os.stat(T + 'a.txt').st_mode & 0o777", "600", "640"),
        (_A + "put('b.txt', 'A')\nimport filecmp\ndef f(x): return filecmp.cmp(T + 'a.txt', T + 'b.txt', False)", "A", "B"),
    ),
]  # fmt: skip

_STAMPED = "from pathlib import Path\nstamped('a.txt', lambda p: Path(p).write_text('@@'))\n"

CHANGED: list[Edit] = [
    *edited(
        "file of the same size and stamps",
        (_STAMPED + "def f(x): return open(T + 'a.txt').read()", "A", "B"),
        (_STAMPED + "def f(x): return Path(T + 'a.txt').read_bytes()", "A", "B"),
        ("stamped('a.npy', lambda p: np.save(p, [@@]))\ndef f(x): return np.load(T + 'a.npy')", "1", "2"),
        ("stamped('a.pq', lambda p: pd.DataFrame({'k': [@@]}).to_parquet(p))\ndef f(x): return pd.read_parquet(T + 'a.pq')['k'].tolist()", "1", "2"),
        (_STAMPED + "import pyarrow as pa\ndef f(x):\n with pa.memory_map(T + 'a.txt') as m: return m.read()", "A", "B"),
        (
            "import os\nput('b.txt', '@@')\nos.utime(T + 'b.txt', (9, 9))\nos.replace(T + 'b.txt', T + 'a.txt')\n"
            "def f(x): return open(T + 'a.txt').read()",
            "A",
            "B",
        ),
    ),
    *followed(
        "file edited through a memory map",
        ("m = np.memmap(put('a.bin', b'\\1'), 'u1', 'r+')\ndef f(x): return open(T + 'a.bin', 'rb').read()", "m[0] = 7"),
        ("m = np.memmap(put('a.bin', b'\\1'), 'u1', 'r+')\ndef f(x): return np.fromfile(T + 'a.bin', 'u1')", "m[0] = 7"),
        ("m = np.memmap(put('a.bin', b'\\1'), 'u1', 'r+')\nm[0] = 2\ndef f(x): return int(np.memmap(T + 'a.bin', 'u1', 'r')[0])", "m[0] = 7"),
    ),
    *followed(
        "file appended to",
        ("put('a.txt', 'A')\ndef f(x): return open(T + 'a.txt').read()", "with open(T + 'a.txt', 'a') as file: file.write('B')"),
        ("put('a.csv', 'k\\n1\\n')\ndef f(x): return pd.read_csv(T + 'a.csv')['k'].tolist()", "with open(T + 'a.csv', 'a') as file: file.write('2\\n')"),
    ),
    *followed(
        "file removed",
        ("import os\nput('a.txt', 'A')\ndef f(x):\n try: return open(T + 'a.txt').read()\n except FileNotFoundError: return 'none'", "os.remove(T + 'a.txt')"),
        ("import os\nput('a.txt', 'A')\ndef f(x): return os.path.exists(T + 'a.txt')", "os.remove(T + 'a.txt')"),
    ),
    *followed(
        "file found missing",
        ("import os\nos.path.exists(T + 'a.txt') and os.remove(T + 'a.txt')\ndef f(x): return os.path.exists(T + 'a.txt')", "put('a.txt', 'A')"),
        ("from pathlib import Path\nPath(T + 'a.txt').unlink(True)\ndef f(x): return Path(T + 'a.txt').is_file()", "put('a.txt', 'A')"),
        ("from pathlib import Path\nPath(T + 'a.txt').unlink(True)\ndef f(x):\n try: return open(T + 'a.txt').read()\n except OSError: return 'none'", "put('a.txt', 'A')"),
        ("from pathlib import Path\nPath(T + 'a.ini').unlink(True)\nimport configparser\ndef f(x):\n c = configparser.ConfigParser()\n return c.read(T + 'a.ini')", "put('a.ini', '[s]')"),
        ("import os\nos.path.exists(T + 'OWN.py') and os.remove(T + 'OWN.py')\nimport importlib\nimportlib.invalidate_caches()\nimport sys\nsys.modules.pop('OWN', None)\ndef f(x):\n try:\n  import OWN\n  return OWN.k\n except ImportError: return 0", "module('OWN', 'k = 1')"),
        ("import os\nos.path.exists(T + 'OWN.py') and os.remove(T + 'OWN.py')\nimport importlib.util as u\nimport importlib\nimportlib.invalidate_caches()\nimport sys\nsys.modules.pop('OWN', None)\ndef f(x): return u.find_spec('OWN') is None", "module('OWN', 'k = 1')"),
        ("import os, shutil\nos.path.exists(T + 'z') and os.remove(T + 'z')\nos.environ['PATH'] += ':' + T\ndef f(x): return shutil.which('z') is None", "put('z', '#!')\nos.chmod(T + 'z', 0o755)"),
        ("from pathlib import Path\nPath(T + 'b.txt').unlink(True)\nput('c.txt', 'C')\ndef f(x):\n for n in ('b', 'c'):\n  try: return open(f'{T}{n}.txt').read()\n  except OSError: pass", "put('b.txt', 'B')"),
    ),
    *followed(
        "folder listed",
        ("import os\nput('l/a', '')\nos.path.exists(T + 'l/b') and os.remove(T + 'l/b')\ndef f(x): return sorted(os.listdir(T + 'l'))", "put('l/b', '')"),
        ("import os\nput('l/a', '')\nos.path.exists(T + 'l/b') and os.remove(T + 'l/b')\ndef f(x): return sorted(e.name for e in os.scandir(T + 'l'))", "put('l/b', '')"),
        ("import os\nput('l/a', '')\nos.path.exists(T + 'l/b') and os.remove(T + 'l/b')\ndef f(x): return [sorted(n) for _, _, n in os.walk(T + 'l')]", "put('l/b', '')"),
        ("from pathlib import Path\nput('l/a', '')\nPath(T + 'l/b').unlink(True)\ndef f(x): return sorted(p.name for p in Path(T + 'l').iterdir())", "put('l/b', '')"),
        ("import os\nput('l/a', '')\nput('l/b', '')\ndef f(x): return sorted(os.listdir(T + 'l'))", "os.remove(T + 'l/b')"),
        ("import os\nput('l/a', '')\nos.path.exists(T + 'l/z') and os.remove(T + 'l/z')\ndef f(x): return os.listdir(T + 'l')", "os.rename(T + 'l/a', T + 'l/z')"),
    ),
    *followed(
        "glob",
        ("import glob, os\nput('g/a.t', '')\nos.path.exists(T + 'g/b.t') and os.remove(T + 'g/b.t')\ndef f(x): return len(glob.glob(T + 'g/*.t'))", "put('g/b.t', '')"),
        ("from pathlib import Path\nput('g/a.t', '')\nPath(T + 'g/h/b.t').unlink(True)\ndef f(x): return len(list(Path(T).rglob('*.t')))", "put('g/h/b.t', '')"),
        ("import glob, os\nput('g/a.t', '1')\ndef f(x): return sum(int(open(p).read()) for p in glob.glob(T + 'g/*.t'))", "put('g/a.t', '2')"),
        ("import glob, os\nput('g/x', '')\nfor p in glob.glob(T + 'g/*.t'): os.remove(p)\ndef f(x): return len(glob.glob(T + 'g/*.t'))", "put('g/b.t', '')"),
        ("import glob, os\nfor p in glob.glob(T + 'g/*/*.t'): os.remove(p)\ndef f(x): return len(glob.glob(T + 'g/*/*.t'))", "put('g/n/b.t', '')"),
    ),
    *followed(
        "link switched",
        ("import os\nput('a.txt', 'A')\nput('b.txt', 'B')\nos.path.lexists(T + 'l') and os.remove(T + 'l')\nos.symlink(T + 'a.txt', T + 'l')\ndef f(x): return open(T + 'l').read()", "os.remove(T + 'l')\nos.symlink(T + 'b.txt', T + 'l')"),
        ("import os\nput('p/a.txt', 'A')\nput('q/a.txt', 'B')\nos.path.lexists(T + 'l') and os.remove(T + 'l')\nos.symlink(T + 'p', T + 'l')\ndef f(x): return open(T + 'l/a.txt').read()", "os.remove(T + 'l')\nos.symlink(T + 'q', T + 'l')"),
        ("import os\nput('a.txt', 'A')\nput('b.txt', 'B')\nos.path.lexists(T + 'l') and os.remove(T + 'l')\nos.symlink(T + 'a.txt', T + 'l')\ndef f(x): return os.readlink(T + 'l')[-5:]", "os.remove(T + 'l')\nos.symlink(T + 'b.txt', T + 'l')"),
        ("import os\nput('a.txt', 'A')\nos.path.lexists(T + 'l') and os.remove(T + 'l')\nos.symlink(T + 'a.txt', T + 'l')\ndef f(x): return open(T + 'l').read()", "put('a.txt', 'B')"),
    ),
    *followed(
        "folder put in the place of another",
        ("import os, shutil\nshutil.rmtree(T + 'p', True)\nput('p/a.txt', 'A')\nput('q/a.txt', 'B')\ndef f(x): return open(T + 'p/a.txt').read()", "shutil.rmtree(T + 'p')\nos.rename(T + 'q', T + 'p')"),
    ),
    *followed(
        "working directory changed",
        ("import os\nput('p/a.txt', 'A')\nput('q/a.txt', 'B')\nold = os.getcwd()\nos.chdir(T + 'p')\ndef f(x): return open('a.txt').read()", "os.chdir(T + 'q')"),
        undo="os.chdir(old)",
        alone=True,
    ),
    *followed(
        "working directory changed",
        ("import os\nput('p/a.txt', 'A')\nput('q/a.txt', 'B')\nold = os.getcwd()\nos.chdir(T + 'p')\ndef f(x): return os.path.basename(os.getcwd())", "os.chdir(T + 'q')"),
        undo="os.chdir(old)",
        alone=True,
    ),
    *followed(
        "working directory changed",
        ("import os\nfrom pathlib import Path\nput('p/a.txt', 'A')\nput('q/b.txt', 'B')\nold = os.getcwd()\nos.chdir(T + 'p')\ndef f(x): return [str(p) for p in Path('.').glob('*.txt')]", "os.chdir(T + 'q')"),
        undo="os.chdir(old)",
        alone=True,
    ),
    *followed(
        "file that was read while the notebook's cell ran",
        ("put('a.txt', 'A')\nk = open(T + 'a.txt').read()\ndef f(x): return k", "put('a.txt', 'B')\nk = open(T + 'a.txt').read()"),
        ("put('a.txt', 'A')\nfile = open(T + 'a.txt')\ndef f(x):\n with open(file.name) as g: return g.read()", "put('a.txt', 'B')"),
    ),
]  # fmt: skip

OTHER: list[Edit] = [
    *edited(
        "answer of a server, in another kernel",
        (
            "put('../../served/OWN.txt', '@@')\nimport os, urllib.request\nU = os.environ['HUNT_SERVER'] + '/OWN.txt'\n"
            "def f(x): return urllib.request.urlopen(U).read()",
            "A",
            "B",
        ),
        (
            "put('../../served/OWN.txt', '@@')\nimport os, requests\nU = os.environ['HUNT_SERVER'] + '/OWN.txt'\n"
            "def f(x): return requests.get(U).text",
            "A",
            "B",
        ),
        (
            "put('../../served/OWN.txt', '@@')\nimport os, http.client\nH = os.environ['HUNT_SERVER'].split('//')[1]\n"
            "def f(x):\n c = http.client.HTTPConnection(H)\n c.request('GET', '/OWN.txt')\n return c.getresponse().read()",
            "A",
            "B",
        ),
        only="restart",
    ),
    *edited(
        "program that the function runs",
        (
            "import subprocess\nput('a.txt', '@@')\n"
            "def f(x): return subprocess.check_output(['cat', T + 'a.txt'])",
            "A",
            "B",
        ),
        (
            "import os\nput('a.txt', '@@')\ndef f(x):\n with os.popen('cat ' + T + 'a.txt') as p: return p.read()",
            "A",
            "B",
        ),
        (
            "import subprocess, sys\nput('a.py', 'print(@@)')\n"
            "def f(x): return subprocess.run([sys.executable, '-S', T + 'a.py'], capture_output=True).stdout",
            "1",
            "2",
        ),
        (
            "import subprocess, os\nos.environ['HUNTED_C'] = '@@'\n"
            "def f(x): return subprocess.check_output(['sh', '-c', 'echo $HUNTED_C'])",
            "A",
            "B",
        ),
    ),
]  # fmt: skip
