"""What flows through a run: blocks of elements, held column by column."""

from mmnotebook import quiet_beam as quiet_beam
