"""What leaves the notebook: graphs as files, runs as jobs, scripts and capsules."""

from mmnotebook.export.graph_file import graph
from mmnotebook.export.run_capsule import capsule
from mmnotebook.export.scripts import script

__all__ = ["capsule", "graph", "script"]
