"""Models: what can be registered, where it is kept, how it is fed and weighed."""

from mmnotebook import quiet_beam as quiet_beam
