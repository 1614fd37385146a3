"""Registered models: their frameworks, inputs and outputs, and the models that stay loaded."""

from mmnotebook import quiet_beam as quiet_beam
