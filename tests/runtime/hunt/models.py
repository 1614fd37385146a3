"""Models of every framework: trained further, replaced, or with edited code or options."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tests.runtime.hunt.edit import Edit, edited, followed, regraphed

_TOP = (
    "from tests.runtime.hunt import made\n"
    "data = np.array([[1, 2], [3, 4]], 'float32')\ntexts = ['a good film', 'bad']\n"
)
_PRE = "def pre(x): return x * {}\n"
_OUT = "def out_of(y): return float(np.ravel(np.asarray(y))[0]) + {}\n"


@dataclass(frozen=True)
class Live:
    """A kind of live model.

    Attributes
    ----------
    make
        The expression of the model `m`, for the number `@@`.
    nudges
        Cells that change it in place.
    answers
        The expression of its outputs for `rows` in a direct call.
    """

    kind: str
    make: str
    nudges: tuple[str, ...]
    answers: str
    options: str = ""
    data: str = "data"
    pre: bool = True

    def edits(self) -> Iterator[Edit]:
        text = f"{_TOP}{self.make}\n"
        if self.data != "data":
            text += f"data = {self.data}\n"
        by_hand = f"def by_hand(rows): return {self.answers}\n"
        register = f"mm.register(M, m{self.options})\n"
        truth = "def truth(): return by_hand(data)"
        whole = text + by_hand + register + truth
        graph = {"graph": "data | M"}
        yield from edited(f"{self.kind}: made and registered again", (whole, "1", "2"), **graph)
        first = whole.replace("@@", "1")
        yield from followed(
            f"{self.kind}: changed in place", *((first, nudge) for nudge in self.nudges), **graph
        )
        if self.pre:
            register = f"mm.register(M, m, preprocess=pre, output=out_of{self.options})\n"
            truth = "def truth(): return [out_of(y) for y in by_hand(pre(data))]"
            once = text.replace("@@", "1") + by_hand
            yield from edited(
                "model: preprocess and output functions edited",
                (once + _PRE.format("@@") + _OUT.format(0) + register + truth, "1", "2"),
                (once + _PRE.format(1) + _OUT.format("@@") + register + truth, "1", "2"),
                **graph,
            )


@dataclass(frozen=True)
class File:
    """A kind of model file or folder.

    Attributes
    ----------
    save
        A statement that saves the model of the number `k` at `p`.
    answers
        The expression of the outputs of the file at `p` for `rows`, loaded directly.
    """

    kind: str
    name: str
    save: str
    answers: str
    options: str = ""
    data: str = "data"

    def edits(self) -> Iterator[Edit]:
        text = f"{_TOP}def save(p, k):\n {self.save}\np = T + '{self.name}'\n"
        if self.data != "data":
            text += f"data = {self.data}\n"
        text += f"def by_hand(rows):\n {self.answers}\ndef truth(): return by_hand(data)\n"
        register = f"mm.register(M, p{self.options})\n"
        graph = {"graph": "data | M"}
        yield from edited(
            f"{self.kind}: saved and registered again",
            (text + "save(p, @@)\n" + register, "1", "2"),
            **graph,
        )
        yield from followed(
            f"{self.kind}: saved again", (text + "save(p, 1)\n" + register, "save(p, 2)"), **graph
        )
        if "." in self.name:
            stamped = f"stamped('{self.name}', lambda p: save(p, @@))\n"
            yield from followed(
                f"{self.kind}: saved again with the same stamps",
                (
                    text + stamped.replace("@@", "1") + register,
                    stamped.replace("@@", "2"),
                ),
                **graph,
            )


_SK = "from sklearn.linear_model import LinearRegression as L\n"
_TREES = "X, y = made.ROWS, made.targets\n"
_INSIDE = "np.array([[0.1, 0.2], [0.4, 0.9]], 'float32')"

LIVE = [
    Live(
        "scikit-learn",
        _SK + "m = L().fit(made.ROWS, made.targets(@@))",
        ("m.coef_ *= 3", "_ = m.fit(made.ROWS, made.targets(5))", "m.intercept_ += 1"),
        "m.predict(rows)",
    ),
    Live(
        "scikit-learn pipeline",
        "from sklearn.pipeline import make_pipeline\nfrom sklearn.preprocessing import StandardScaler\n"
        + _SK + "m = make_pipeline(StandardScaler(), L()).fit(made.ROWS, made.targets(@@))",
        ("m[0].mean_ += 1", "m.steps.pop(0)\n_ = m.fit(made.ROWS, made.targets(5))"),
        "m.predict(rows)",
        pre=False,
    ),
    Live(
        "torch module",
        "import torch\nm = made.linear(@@)",
        (
            "m.weight.data.mul_(5)",
            "m.bias.data += 1",
            "with torch.no_grad(): m.weight[0, 0] = 9",
            "_ = m.load_state_dict(made.linear(4).state_dict())",
            "o = torch.optim.SGD(m.parameters(), 1.0)\nm(torch.ones(1, 2)).sum().backward()\no.step()",
            "h = m.register_forward_hook(lambda m, i, o: o * 2)",
        ),
        "m(torch.as_tensor(rows)).detach()",
    ),
    Live(
        "torch module of the notebook's class",
        "import torch\nclass Net(torch.nn.Module):\n def __init__(self):\n  super().__init__()\n"
        "  self.k = 1\n  self.register_buffer('b', torch.ones(1))\n"
        " def forward(self, x): return x.sum(1) * self.k * self.b * @@\nm = Net()",
        ("m.k = 3", "m.b += 1", "m.forward = lambda x: x.sum(1) * 9", "Net.forward = lambda self, x: x.sum(1) * 7"),
        "m(torch.as_tensor(rows))",
    ),
    Live(
        "torch sequence",
        "import torch\nm = torch.nn.Sequential(made.linear(@@), torch.nn.Hardtanh(-99.0, 99.0))",
        ("m[0] = made.linear(3)", "m[1].max_val = 2.0", "_ = m.append(torch.nn.Hardtanh(0.0, 1.0))"),
        "m(torch.as_tensor(rows)).detach()",
        pre=False,
    ),
    Live(
        "TorchScript",
        "import torch\nm = torch.jit.trace(made.linear(@@), torch.ones(1, 2))",
        ("m.weight.data.mul_(5)",),
        "m(torch.as_tensor(rows)).detach()",
        pre=False,
    ),
    Live(
        "exported program",
        "import torch\nn = torch.export.Dim('n', min=1)\n"
        "m = torch.export.export(made.linear(@@), (torch.ones(2, 2),), dynamic_shapes=({0: n},))",
        ("m.state_dict['weight'].data.mul_(5)",),
        "m.module()(torch.as_tensor(rows)).detach()",
        pre=False,
    ),
    Live(
        "ONNX",
        "m = made.onnx_model(@@)",
        ("m.CopyFrom(made.onnx_model(5))",),
        "made.onnx_by_hand(m, rows)",
    ),
    Live(
        "session of ONNX Runtime",
        "import onnxruntime as o\nm = o.InferenceSession(made.onnx_model(@@).SerializeToString())",
        (),
        "m.run(None, {'x': rows})[0]",
        pre=False,
    ),
    Live(
        "XGBoost",
        _TREES + "import xgboost\nm = xgboost.XGBRegressor(n_estimators=2, n_jobs=1).fit(X, y(@@))",
        ("_ = m.fit(X, y(5))", "m.get_booster().set_attr(hunted='1')\n_ = m.fit(X, y(9), xgb_model=m.get_booster())"),
        "m.predict(rows)",
        data=_INSIDE,
    ),
    Live(
        "XGBoost's Booster",
        _TREES + "import xgboost\nD = xgboost.DMatrix\nm = xgboost.train({'nthread': 1}, D(X, y(@@)), 2)",
        ("m.update(D(X, y(50)), 3)", "m.load_model(xgboost.train({'nthread': 1}, D(X, y(7)), 2).save_raw())"),
        "m.predict(D(rows))",
        pre=False,
        data=_INSIDE,
    ),
    Live(
        "LightGBM",
        _TREES + "import lightgbm\nm = lightgbm.LGBMRegressor(n_estimators=2, n_jobs=1, verbose=-1, "
        "min_child_samples=2).fit(X, y(@@))",
        ("_ = m.fit(X, y(5))",),
        "m.predict(rows)",
        data=_INSIDE,
    ),
    Live(
        "LightGBM's Booster",
        _TREES + "import lightgbm\nP = {'num_threads': 1, 'verbose': -1, 'min_data_in_leaf': 2}\n"
        "m = lightgbm.train(P, lightgbm.Dataset(X, y(@@), free_raw_data=False), 2)",
        ("_ = m.model_from_string(lightgbm.train(P, lightgbm.Dataset(X, y(7)), 2).model_to_string())", "_ = [m.set_leaf_output(0, int(n), 42.0) for n in m.predict(data, pred_leaf=True)[:, 0]]"),
        "m.predict(rows)",
        pre=False,
    ),
    Live(
        "CatBoost",
        _TREES + "import catboost\nC = {'iterations': 2, 'verbose': 0, 'thread_count': 1, "
        "'allow_writing_files': False}\nm = catboost.CatBoostRegressor(**C).fit(X, y(@@))",
        ("_ = m.fit(X, y(5))", "m.set_scale_and_bias(3, [1.0])"),
        "m.predict(rows)",
        data=_INSIDE,
    ),
    Live(
        "Keras",
        "import keras\nm = made.keras_model(@@)",
        (
            "m.layers[0].kernel.assign(m.layers[0].kernel * 5)",
            "m.set_weights([w + 1 for w in m.get_weights()])",
            "m.compile('sgd', 'mse')\n_ = m.fit(np.ones((4, 2)), np.zeros((4, 1)), verbose=0)",
        ),
        "np.asarray(m(rows))",
    ),
    Live(
        "tf.Module",
        "import tensorflow as tf\nclass Net(tf.Module):\n def __init__(self):\n  super().__init__()\n"
        "  self.w = tf.Variable(@@.0)\n"
        " @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32)])\n"
        " def __call__(self, x): return tf.reduce_sum(x, 1) * self.w\nm = Net()",
        ("m.w.assign(5.0)",),
        "np.asarray(m(rows))",
        pre=False,
    ),
    Live(
        "Hugging Face model",
        "import torch\nm = made.classifier(@@)",
        ("m.classifier.bias.data += 1", "m.classifier.weight.data.mul_(-3)"),
        "m(torch.as_tensor(rows)).logits.detach()",
        data="np.array([[5, 6, 7], [8, 9, 5]])",
        pre=False,
    ),
    Live(
        "Hugging Face pipeline",
        "import torch\nm = made.text_pipeline(@@)",
        ("m.model.classifier.bias.data += torch.tensor([9.0, 0.0, 0.0])", "m.model.config.id2label[0] = m.model.config.id2label[2] = 'Z'"),
        "[m(t)[0] for t in rows]",
        options=", batch_size=1",
        data="texts",
        pre=False,
    ),
    Live(
        "sentence-transformers",
        "import torch\nm = made.encoder(@@, T + 'bert')",
        ("m[0].auto_model.embeddings.word_embeddings.weight.data.mul_(3)", "m.truncate_dim = 4"),
        "m.encode(rows)",
        data="texts",
        pre=False,
    ),
    Live(
        "function as a model",
        "W = [1]\ndef m(batch): return [float(x.sum()) * W[0] * @@ for x in batch]",
        ("W[0] = 3", "m.__code__ = (lambda batch: [9.0 for x in batch]).__code__"),
        "m(rows)",
        options=", framework='python'",
    ),
    Live(
        "object as a model",
        "class Sum:\n def __init__(self): self.w = np.ones(2)\n"
        " def predict(self, batch): return [float(x @ self.w) * @@ for x in batch]\nm = Sum()",
        ("m.w[0] = 9", "m.w = np.zeros(2)", "Sum.predict = lambda self, batch: [7.0 for x in batch]"),
        "m.predict(rows)",
    ),
    Live(
        "object that holds a model",
        _SK + "class Box:\n def __init__(self, inner): self.inner = inner\n"
        " def predict(self, batch): return self.inner.predict(batch) * 2\n"
        "m = Box(L().fit(made.ROWS, made.targets(@@)))",
        ("m.inner.coef_ *= 3", "m.inner = L().fit(made.ROWS, made.targets(7))"),
        "m.predict(rows)",
        pre=False,
    ),
    Live(
        "estimator of the notebook's class",
        "from sklearn.base import BaseEstimator, RegressorMixin\n"
        "class Est(RegressorMixin, BaseEstimator):\n def __init__(self, k=1): self.k = k\n"
        " def fit(self, X, y):\n  self.w_ = 1\n  return self\n"
        " def predict(self, X): return np.sum(X, 1) * self.k * @@\nm = Est().fit(0, 0)",
        ("_ = m.set_params(k=3)", "Est.predict = lambda self, X: np.sum(X, 1) * 9"),
        "m.predict(rows)",
        pre=False,
    ),
    Live(
        "Beam handler of the notebook's class",
        "from apache_beam.ml.inference.base import ModelHandler, PredictionResult as P\n"
        "class H(ModelHandler):\n def __init__(self): self.k = 1\n def load_model(self): return @@\n"
        " def run_inference(self, batch, model, inference_args=None):\n"
        "  return [P(x, float(np.sum(x)) * model * self.k) for x in batch]\nm = H()",
        ("m.k = 3", "H.load_model = lambda self: 7"),
        "[r.inference for r in m.run_inference(rows, m.load_model())]",
        pre=False,
    ),
]  # fmt: skip

_LOADED = "return joblib.load(p).predict(rows)"
_H = "from apache_beam.ml.inference"

FILES = [
    File("joblib file", "m.joblib", "import joblib\n from sklearn.linear_model import LinearRegression as L\n joblib.dump(L().fit(made.ROWS, made.targets(k)), p)", "import joblib\n " + _LOADED),
    File("pickle file", "m.pkl", "import pickle\n from sklearn.linear_model import LinearRegression as L\n open(p, 'wb').write(pickle.dumps(L().fit(made.ROWS, made.targets(k))))", "import pickle\n return pickle.load(open(p, 'rb')).predict(rows)"),
    File("state dict", "m.pt", "import torch\n torch.save(made.linear(k).state_dict(), p)", "import torch\n m = made.linear(0)\n m.load_state_dict(torch.load(p))\n return m(torch.as_tensor(rows)).detach()", ", model_class=made.linear, model_params={'factor': 0}"),
    File("TorchScript file", "m.pt", "import torch\n torch.jit.trace(made.linear(k), torch.ones(1, 2)).save(p)", "import torch\n return torch.jit.load(p)(torch.as_tensor(rows)).detach()"),
    File("exported file", "m.pt2", "import torch\n n = torch.export.Dim('n', min=1)\n torch.export.save(torch.export.export(made.linear(k), (torch.ones(2, 2),), dynamic_shapes=({0: n},)), p)", "import torch\n return torch.export.load(p).module()(torch.as_tensor(rows)).detach()"),
    File("ONNX file", "m.onnx", "made.onnx_file(p, k)", "return made.onnx_by_hand(p, rows)"),
    File("ONNX file with weights beside it", "m.onnx", "made.onnx_external(p, k)", "return made.onnx_by_hand(p, rows)"),
    File("XGBoost file", "m.json", "import xgboost\n xgboost.XGBRegressor(n_estimators=2, n_jobs=1).fit(made.ROWS, made.targets(k)).save_model(p)", "import xgboost\n b = xgboost.Booster()\n b.load_model(p)\n return b.predict(xgboost.DMatrix(rows))", ", framework='xgboost'"),
    File("XGBoost binary file", "m.ubj", "import xgboost\n xgboost.XGBRegressor(n_estimators=2, n_jobs=1).fit(made.ROWS, made.targets(k)).save_model(p)", "import xgboost\n b = xgboost.Booster()\n b.load_model(p)\n return b.predict(xgboost.DMatrix(rows))", ", framework='xgboost'"),
    File("LightGBM file", "m.txt", "import lightgbm\n lightgbm.LGBMRegressor(n_estimators=2, n_jobs=1, verbose=-1, min_child_samples=2).fit(made.ROWS, made.targets(k)).booster_.save_model(p)", "import lightgbm\n return lightgbm.Booster(model_file=p).predict(rows)", ", framework='lightgbm'"),
    File("CatBoost file", "m.cbm", "import catboost\n catboost.CatBoostRegressor(iterations=2, verbose=0, thread_count=1, allow_writing_files=False).fit(made.ROWS, made.targets(k)).save_model(p)", "import catboost\n return catboost.CatBoostRegressor().load_model(p).predict(rows)", ", framework='catboost'"),
    File("Keras file", "m.keras", "made.keras_model(k).save(p)", "import keras\n return np.asarray(keras.models.load_model(p)(rows))"),
    File("Keras weights", "m.weights.h5", "made.keras_model(k).save_weights(p)", "m = made.keras_model(0)\n m.load_weights(p)\n return np.asarray(m(rows))", ", model_class=made.keras_model, model_params={'factor': 0}"),
    File("SavedModel folder", "saved", "made.keras_model(k).export(p, verbose=False)", "import tensorflow as tf\n m = tf.saved_model.load(p)\n return np.asarray(m.serve(rows))"),
    File("Hugging Face folder", "bert", "made.classifier(k).save_pretrained(p)", "import torch, transformers\n return transformers.BertForSequenceClassification.from_pretrained(p)(torch.as_tensor(rows)).logits.detach()", data="np.array([[5, 6, 7], [8, 9, 5]])"),
    File("sentence-transformers folder", "st", "made.encoder(k, T + 'bert').save_pretrained(p)", "from sentence_transformers import SentenceTransformer\n return SentenceTransformer(p, device='cpu').encode(rows)", data="texts"),
]  # fmt: skip


def _handler(kind: str, name: str, save: str, make: str, answers: str) -> list[Edit]:
    """Return a cell with a Beam handler for a path."""
    text = (
        f"{_TOP}def save(p, k):\n {save}\np = T + '{name}'\n{{}}{make}\n"
        f"def by_hand(rows):\n {answers}\ndef truth(): return by_hand(data)\n"
    )
    register = "mm.register(M, m)"
    return [
        *edited(f"{kind}: saved and registered again", (text.format("save(p, @@)\n") + register, "1", "2"), graph="data | M"),
        *followed(f"{kind}: saved again", (text.format("save(p, 1)\n") + register, "save(p, 2)"), graph="data | M"),
        *edited(f"{kind}: another path", (text.replace(f"'{name}'", f"'@@{name}'").format("save(p, @@)\n") + register, "1", "2"), graph="data | M"),
    ]  # fmt: skip


_SAVE = {one.kind: one for one in FILES}
_TENSORS = "import torch\ndata = torch.from_numpy(data)\n"

HANDLERS: list[Edit] = [
    *_handler("Beam's handler for scikit-learn", "m.pkl", _SAVE["pickle file"].save, f"{_H}.sklearn_inference import SklearnModelHandlerNumpy as H\nm = H(model_uri=p)", _SAVE["pickle file"].answers),
    *_handler("Beam's handler for torch", "m.pt", _SAVE["state dict"].save, f"{_H}.pytorch_inference import PytorchModelHandlerTensor as H\n{_TENSORS}m = H(state_dict_path=p, model_class=made.linear, model_params={{{{'factor': 0}}}})", _SAVE["state dict"].answers),
    *_handler("Beam's handler for TorchScript", "m.pt", _SAVE["TorchScript file"].save, f"{_H}.pytorch_inference import PytorchModelHandlerTensor as H\n{_TENSORS}m = H(torch_script_model_path=p)", _SAVE["TorchScript file"].answers),
    *_handler("Beam's handler for ONNX", "m.onnx", _SAVE["ONNX file"].save, f"{_H}.onnx_inference import OnnxModelHandlerNumpy as H\nm = H(model_uri=p)", _SAVE["ONNX file"].answers),
    *_handler("handler of the notebook's over a path", "m.joblib", _SAVE["joblib file"].save, f"import joblib\n{_H}.base import ModelHandler, PredictionResult as P\nclass H(ModelHandler):\n def __init__(self, p): self.p = p\n def load_model(self): return joblib.load(self.p)\n def run_inference(self, batch, model, inference_args=None): return [P(x, y) for x, y in zip(batch, model.predict(np.stack(batch)))]\nm = H(p)", _SAVE["joblib file"].answers),
    *_handler("object that loads from its path", "m.npy", "np.save(p, np.array([k, k]))", "class Lazy:\n def __init__(self, p): self.p = p\n def predict(self, batch): return np.stack(batch) @ np.load(self.p)\nm = Lazy(p)", "return m.predict(rows)"),
    *_handler("object whose __setstate__ loads", "m.npy", "np.save(p, np.array([k, k]))", "class Box:\n def __init__(self, p): self.__setstate__(dict(p=p))\n def __getstate__(self): return dict(p=self.p)\n def __setstate__(self, s):\n  self.p = s['p']\n  self.w = np.load(self.p)\n def predict(self, batch): return np.stack(batch) @ self.w\nm = Box(p)", "return rows @ np.load(p)"),
]  # fmt: skip

_SUM = (
    "class Sum:\n  k = {}\n  def predict(self, batch): return [{} * float(sum(x)) for x in batch]\n"
)
_OWN = (
    _TOP
    + 'module("OWN", """'
    + _SUM.format(1, "@@")
    + '""")\nimport OWN\nimport joblib, os, pickle, sys\n'
)
_KEPT = "if not os.path.exists(T + 'm.pkl'): {}\nmm.register(M, T + 'm.pkl', framework='python')\ndef truth():\n m = {}\n return m.predict(data)"
_PACKAGE = (
    _TOP + "import importlib, os, shutil, sys\nL = T + 'site-packages/'\n"
    "for n in os.listdir(L) if os.path.exists(L) else []:\n"
    " if n.endswith('.dist-info'): shutil.rmtree(L + n)\n"
    "put('site-packages/OWN/__init__.py', '__version__ = \"@@\"\\n"
    "class Sum:\\n def predict(self, batch): return [@@ * float(sum(x)) for x in batch]\\n')\n"
    "put('site-packages/OWN-@@.dist-info/METADATA', 'Metadata-Version: 2.1\\nName: OWN\\nVersion: @@\\n')\n"
    "L in sys.path or sys.path.append(L)\nsys.modules.pop('OWN', None)\nimportlib.invalidate_caches()\nimport OWN\n"
)  # fmt: skip
_SAME_VERSION = (
    _PACKAGE.replace('"@@"', '"1"').replace("OWN-@@", "OWN-1").replace("Version: @@", "Version: 1")
)
_BATCH = "def truth(): return m.predict(data)\n"

CODE_OF_MODELS: list[Edit] = [
    *edited(
        "class of a saved model edited",
        (_OWN + _KEPT.format("joblib.dump(OWN.Sum(), T + 'm.pkl')", "joblib.load(T + 'm.pkl')"), "1.0", "2.0"),
        (_OWN + _KEPT.format("pickle.dump(OWN.Sum(), open(T + 'm.pkl', 'wb'))", "pickle.load(open(T + 'm.pkl', 'rb'))"), "1.0", "2.0"),
        (_OWN + "m = OWN.Sum()\nmm.register(M, m)\n" + _BATCH, "1.0", "2.0"),
        (_OWN + "m = OWN.Sum().predict\nmm.register(M, m, framework='python')\ndef truth(): return m(data)", "1.0", "2.0"),
        graph="data | M",
    ),
    *edited(
        "class of a saved module edited",
        (
            _TOP + 'module("OWN", """import torch\nclass Net(torch.nn.Linear):\n  def forward(self, x): return super().forward(x) * @@\n""")\n'
            "import OWN, os, torch\nif not os.path.exists(T + 'm.pt'): torch.save(OWN.Net(2, 1).state_dict(), T + 'm.pt')\n"
            "mm.register(M, T + 'm.pt', model_class=OWN.Net, model_params={'in_features': 2, 'out_features': 1})\n"
            "def truth():\n m = OWN.Net(2, 1)\n m.load_state_dict(torch.load(T + 'm.pt'))\n return m(torch.from_numpy(data)).detach()",
            "1",
            "2",
        ),
        (
            _TOP + "import os, torch\ndef net():\n m = torch.nn.Sequential(torch.nn.Linear(2, 1), torch.nn.Hardtanh(-@@, @@))\n return m\n"
            "if not os.path.exists(T + 'm.pt'): torch.save({'0.weight': torch.ones(1, 2), '0.bias': torch.zeros(1)}, T + 'm.pt')\n"
            "mm.register(M, T + 'm.pt', model_class=net)\n"
            "def truth():\n m = net()\n m.load_state_dict(torch.load(T + 'm.pt'))\n return m(torch.from_numpy(data)).detach()",
            "1.0",
            "2.0",
        ),
        graph="data | M",
    ),
    *edited(
        "installed package of a model upgraded",
        (_PACKAGE + "import joblib\nif not os.path.exists(T + 'm.pkl'): joblib.dump(OWN.Sum(), T + 'm.pkl')\nmm.register(M, T + 'm.pkl', framework='python')\n"
         "def truth(): return joblib.load(T + 'm.pkl').predict(data)", "1", "2"),
        (_PACKAGE + "m = OWN.Sum()\nmm.register(M, m)\n" + _BATCH, "1", "2"),
        only="restart",
        graph="data | M",
    ),
    *edited(
        "installed package edited in place",
        (_SAME_VERSION + "import joblib\nif not os.path.exists(T + 'm.pkl'): joblib.dump(OWN.Sum(), T + 'm.pkl')\nmm.register(M, T + 'm.pkl', framework='python')\n"
         "def truth(): return joblib.load(T + 'm.pkl').predict(data)", "1", "2"),
        (_SAME_VERSION + "m = OWN.Sum()\nmm.register(M, m)\n" + _BATCH, "1", "2"),
        only="restart",
        graph="data | M",
    ),
    *edited(
        "installed package edited in place",
        (_SAME_VERSION + "def f(x): return OWN.Sum().predict([[x]])[0]\ndata = [3]", "1", "2"),
        (_PACKAGE + "def f(x): return OWN.Sum().predict([[x]])[0]\ndata = [3]", "1", "2"),
        only="restart",
    ),
]  # fmt: skip

_TREE = (
    _TOP
    + "from sklearn.linear_model import LogisticRegression\nlabels = (made.ROWS[:, 0] > 0.5).astype(int)\n"
    "m = LogisticRegression().fit(made.ROWS, labels)\ndata = data / 5\n"
)
_LINEAR = (
    _TOP
    + "import torch\nm = torch.nn.Linear(2, 3)\nm.weight.data[:] = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 2.0]])\nm.bias.data[:] = 0\nby = lambda: m(torch.from_numpy(data)).detach()\n"
)
_RECORDS = (
    _TOP
    + "def m(batch): return [float(np.sum(x)) for x in batch]\ndata = pd.DataFrame({'a': [1.0, 2.0], 'b': [3.0, 4.0]})\n"
)

OPTIONS: list[Edit] = [
    *edited(
        "model: method",
        (_TREE + "mm.register(M, m, method='@@')\ndef truth(): return m.@@(data)", "predict", "predict_proba"),
        (_TREE + "mm.register(M, m, method='@@')\ndef truth(): return m.@@(data)", "predict_log_proba", "decision_function"),
        graph="data | M",
    ),
    *edited(
        "model: output",
        (_LINEAR + "mm.register(M, m, output='argmax')\ndef truth(): return by().argmax(1)\n@@", "", "mm.register(M, m)\ntruth = by"),
        (_LINEAR + "mm.register(M, m, output=lambda y: float(y[@@]))\ndef truth(): return by()[:, @@]", "0", "1"),
        (_LINEAR + "mm.register(M, m, postprocess=lambda y: float(y.@@()))\ndef truth(): return by().@@(1).numpy() if '@@' == 'sum' else by().mean(1)", "sum", "mean"),
        graph="data | M",
    ),
    *edited(
        "model: input",
        (_RECORDS + "mm.register(M, m, framework='python', input='@@')\ndef truth(): return data['@@']", "a", "b"),
        (_RECORDS + "mm.register(M, m, framework='python', input=@@)\ndef truth(): return data[list(@@)].sum(axis=1)", "['a']", "['a', 'b']"),
        graph="data | M",
    ),
    *edited(
        "model: inference_args",
        (_TOP + "def m(batch, k=1): return [float(x.sum()) * k for x in batch]\nmm.register(M, m, framework='python', inference_args={'k': @@})\ndef truth(): return m(data, @@)", "1", "2"),
        graph="data | M",
    ),
    *edited(
        "model: model_params",
        (_TOP + "import torch\nclass Net(torch.nn.Linear):\n def __init__(self, k):\n  super().__init__(2, 1)\n  self.k = k\n def forward(self, x): return super().forward(x) * self.k\n"
         "torch.save({'weight': torch.ones(1, 2), 'bias': torch.zeros(1)}, T + 'm.pt')\nmm.register(M, T + 'm.pt', model_class=Net, model_params={'k': @@})\n"
         "def truth():\n m = Net(@@)\n m.load_state_dict(torch.load(T + 'm.pt'))\n return m(torch.from_numpy(data)).detach()", "1", "2"),
        graph="data | M",
    ),
    *edited(
        "model: batched and collate",
        (_TOP + "def m(x): return float(np.sum(x)) if np.ndim(x) == @@ else [float(np.sum(r)) * 10 for r in x]\n"
         "mm.register(M, m, framework='python', batched=@@ != 1)\ndef truth(): return [m(x) for x in data] if @@ == 1 else m(data)", "1", "3"),
        (_TOP + "def m(batch): return [float(x.sum()) for x in batch]\ndef pack(xs): return np.stack(xs) * @@\nmm.register(M, m, framework='python', collate=pack)\ndef truth(): return m(pack(list(data)))", "1", "2"),
        graph="data | M",
    ),
    *edited(
        "model: env_vars",
        (_TOP + "import os\nclass E:\n def predict(self, batch): return [os.environ.get('HUNTED_M' ) for x in batch]\nm = E()\nmm.register(M, m, env_vars={'HUNTED_M': '@@'})\n"
         "def truth(): return ['@@'] * 2", "p", "q"),
        graph="data | M",
        undo="os.environ.pop('HUNTED_M', None)",
    ),
    *edited(
        "model: name taken by another",
        (_TOP + "a, b = made.linear(1), made.linear(2)\nimport torch\nm = @@\nmm.register(M, m)\ndef truth(): return m(torch.from_numpy(data)).detach()", "a", "b"),
        (_TOP + "a = made.linear(1)\nimport torch\nb = lambda batch: [9.0] * len(batch)\nif '@@' == 'a': mm.register(M, a)\nelse: mm.register(M, b, framework='python')\ndef truth(): return a(torch.from_numpy(data)).detach() if '@@' == 'a' else b(data)", "a", "b"),
        graph="data | M",
    ),
    *edited(
        "models of classes with one name",
        (_TOP + "class C:\n def ask(self, batch): return [1.0] * len(batch)\nOld = C\nclass C:\n def ask(self, batch): return [2.0] * len(batch)\nm = @@()\nmm.register(M, m, framework='python', method='ask')\ndef truth(): return m.ask(data)", "Old", "C"),
        (_TOP + "import time\nclass C:\n def ask(self, batch): return [1.0 + 0 * time.time()] * len(batch)\nOld = C\nclass C:\n def ask(self, batch): return [2.0 + 0 * time.time()] * len(batch)\nm = @@()\nmm.register(M, m, framework='python', method='ask')\ndef truth(): return m.ask(data)", "Old", "C"),
        graph="data | M",
    ),
    *regraphed(
        "graph: models and their places",
        ("out = data | @@", "hunted_a", "hunted_b", "[1.0, 1.0]", "[2.0, 2.0]"),
        ("out = data | @@ | vote()", "[hunted_a, hunted_a]", "[hunted_b, hunted_b]", "[1.0, 1.0]", "[2.0, 2.0]"),
        ("out = data | switch(which, p=@@) | as_it_is", "hunted_a, q=hunted_b", "hunted_b, q=hunted_a", "[1.0, 2.0]", "[2.0, 1.0]"),
        top=_TOP + "for k in (1.0, 2.0): mm.register('hunted_' + ' ab'[int(k)], lambda b, k=k: [k] * len(b), framework='python')\n"
        "def which(x): return 'p' if x[0] < 2 else 'q'\ndef as_it_is(y): return y.inference",
    ),
]  # fmt: skip

MODELS: list[Edit] = [
    *(edit for one in [*LIVE, *FILES] for edit in one.edits()),
    *HANDLERS,
    *CODE_OF_MODELS,
    *OPTIONS,
]
