"""Registered models: their frameworks, inputs and outputs, and which of them stay loaded."""

from mmnotebook import quiet_beam as quiet_beam
