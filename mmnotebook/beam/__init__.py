"""A graph as Beam transforms: how each step is lowered, and the pipelines that run it."""

from mmnotebook import quiet_beam as quiet_beam
