"""Sphinx configuration; build with python -m sphinx -W --keep-going -b html docs docs/_build."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent
for folder in (HERE / "_ext", ROOT):
    sys.path.insert(0, str(folder))

import mmnotebook  # noqa: E402 - from this checkout

# The kernels that execute the pages import this checkout, and do not use the user's cache. The
# folder is removed when the build's process ends.
_scratch = tempfile.TemporaryDirectory(prefix="mmnotebook-docs-")
os.environ["MMNOTEBOOK_CACHE"] = str(Path(_scratch.name) / "cache")
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
os.environ["HF_HUB_OFFLINE"] = "1"
# Several kernels run at the same time, and models this small are fastest with one thread.
os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

project = "mmnotebook"
author = "The mmnotebook authors"
copyright = author
release = version = mmnotebook.__version__

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.autosummary", "numpydoc", "mm_docs"]
exclude_patterns = ["_build", "README.md"]
default_role = "literal"  # the role of `x` in a docstring

# Pages
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
nb_execution_mode = "force"
nb_execution_excludepatterns = ["tutorials/*"]  # the build shows their saved outputs
nb_execution_timeout = 120
nb_execution_show_tb = True
nb_merge_streams = True
# A widget needs a live kernel, so the build shows the picture in the same output instead.
# Beam's outputs contain scripts that load other scripts from a CDN.
nb_mime_priority_overrides = [
    ("html", "application/vnd.jupyter.widget-view+json", None),
    ("html", "application/javascript", None),
]
nb_ipywidgets_js = {}
suppress_warnings = ["mystnb.mime_priority"]  # for outputs with only one of these types

# Reference
autosummary_generate = False
autodoc_member_order = "groupwise"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 88
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False

# Theme
html_theme = "pydata_sphinx_theme"
html_title = f"mmnotebook {release}"
html_static_path = ["_static"]
html_css_files = ["mm.css"]
html_sidebars = {"index": [], "start": [], "contributing": []}
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "navigation_with_keys": False,
    "show_prev_next": True,
    "secondary_sidebar_items": ["page-toc"],
    "navbar_end": ["theme-switcher"],
    "footer_start": ["copyright"],
    "footer_end": [],
}
pygments_style = "default"
