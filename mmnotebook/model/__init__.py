"""Models: registration, storage, inputs and memory."""

from mmnotebook import quiet_beam as quiet_beam
