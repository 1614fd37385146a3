"""Multi-model machine-learning pipelines in Jupyter, on Apache Beam.

Every public name is imported when it is first used, so that `import mmnotebook` and
`%load_ext mmnotebook` cost next to nothing. `__init__.pyi` lists the names.
"""

from mmnotebook import _moved, _public
from mmnotebook.graph import upcalls

__version__ = "0.1.0"

upcalls.find = _public.of_graph
_moved.install()

__getattr__ = _public.resolve
__dir__ = _public.listed
load_ipython_extension = _public.load_ipython_extension
unload_ipython_extension = _public.unload_ipython_extension
