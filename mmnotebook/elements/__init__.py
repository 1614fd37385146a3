"""Blocks of elements in columns, as they flow through a run."""

from mmnotebook import quiet_beam as quiet_beam
