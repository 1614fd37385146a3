"""Beam transforms of a graph: the lowering of each step, and the pipelines that run it."""

from mmnotebook import quiet_beam as quiet_beam
