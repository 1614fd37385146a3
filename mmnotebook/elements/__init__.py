"""The elements of a run: blocks of up to 4,096 elements, stored column by column."""

from mmnotebook import quiet_beam as quiet_beam
