"""Runs on workers elsewhere: the description of a cluster, and checks before a run on it."""

from mmnotebook import quiet_beam as quiet_beam
