"""The public names of the package, each once: the module that it is in.

To make a name public, import it here as itself: `from mmnotebook.HOME import NAME as NAME`.
"""

from IPython.core.interactiveshell import InteractiveShell

from mmnotebook import export as export
from mmnotebook.beam.compiler import compile_graph as compile_graph
from mmnotebook.clusters.attach import AttachedRun as AttachedRun
from mmnotebook.clusters.attach import attach as attach
from mmnotebook.clusters.check import Readiness as Readiness
from mmnotebook.clusters.check import check as check
from mmnotebook.clusters.target import Cluster as Cluster
from mmnotebook.clusters.target import cluster as cluster
from mmnotebook.errors import CacheWarning as CacheWarning
from mmnotebook.errors import GraphError as GraphError
from mmnotebook.errors import InterruptedRunError as InterruptedRunError
from mmnotebook.errors import InterruptedWaitError as InterruptedWaitError
from mmnotebook.errors import MMError as MMError
from mmnotebook.errors import ModelError as ModelError
from mmnotebook.errors import ModelWarning as ModelWarning
from mmnotebook.errors import ReadinessWarning as ReadinessWarning
from mmnotebook.errors import ResultError as ResultError
from mmnotebook.errors import RunError as RunError
from mmnotebook.errors import StillRunningError as StillRunningError
from mmnotebook.errors import StorageError as StorageError
from mmnotebook.export.files import open as open
from mmnotebook.fingerprint.declared import depends as depends
from mmnotebook.fingerprint.declared import pure as pure
from mmnotebook.graph.graph import Graph as Graph
from mmnotebook.graph.graph import Group as Group
from mmnotebook.graph.graph import Input as Input
from mmnotebook.graph.graph import Node as Node
from mmnotebook.graph.models import ModelSpec as ModelSpec
from mmnotebook.graph.models import registry as registry
from mmnotebook.graph.parameters import parameter as parameter
from mmnotebook.model.loaded.models import models as models
from mmnotebook.model.loaded.models import unload as unload
from mmnotebook.model.registered.register import register as register
from mmnotebook.notation.text import parse as parse
from mmnotebook.notation.text import pipeline as pipeline
from mmnotebook.notation.text import to_text as to_text
from mmnotebook.results import plot as plot
from mmnotebook.results.inspection import trace as trace
from mmnotebook.results.memory import Forecast as Forecast
from mmnotebook.results.memory import forecast as forecast
from mmnotebook.results.node_table import NodeTable as NodeTable
from mmnotebook.results.results import Result as Result
from mmnotebook.running.explain import Explanation as Explanation
from mmnotebook.running.explain import explain as explain
from mmnotebook.running.handle import Running as Running
from mmnotebook.running.session import run as run
from mmnotebook.state import events as events
from mmnotebook.store.cache import cache as cache
from mmnotebook.ui.builder.builder import Builder as Builder
from mmnotebook.ui.dashboard import dashboard as dashboard
from mmnotebook.ui.doctor import DoctorReport as DoctorReport
from mmnotebook.ui.doctor import doctor as doctor
from mmnotebook.ui.inspector.first_rows import inspect as inspect

__version__: str
last: Result | None

def load_ipython_extension(ip: InteractiveShell) -> None: ...
def unload_ipython_extension(ip: InteractiveShell) -> None: ...
