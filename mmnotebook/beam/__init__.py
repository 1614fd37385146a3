"""Beam transforms of a graph: the lowering of each step, and the pipelines that run the graph."""

from mmnotebook import quiet_beam as quiet_beam
