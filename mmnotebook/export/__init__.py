"""What leaves the notebook: graphs as files, runs as jobs, scripts and capsules."""

from mmnotebook.export.graph_file import graph

__all__ = ["graph"]
