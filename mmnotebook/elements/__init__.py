"""What flows through a run: blocks of up to 4,096 elements, held column by column."""

from mmnotebook import quiet_beam as quiet_beam
