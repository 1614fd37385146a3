"""What functions and models do while a node is computed: files, clock, network, randomness.

A `Record` is filled while a node's step works inside `within`. It has four sources: an audit hook,
the states of the global generators, a profiler on the first elements, and inotify for files that
compiled code opens. The result is `Observed`.
"""

from mmnotebook import quiet_beam as quiet_beam
from mmnotebook.observing.observed import Observed
from mmnotebook.observing.record import Record
from mmnotebook.observing.thread_context import within

__all__ = ["Observed", "Record", "within"]
