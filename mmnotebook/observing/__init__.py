"""What functions and models do while a node is computed: files, clock, network, randomness.

A step of a node runs inside `within`, which fills a `Record`. There are four sources of
observations: an audit hook, the states of the global random generators, a profiler for the first
elements, and inotify for files that compiled code opens. The result is `Observed`.
"""

from mmnotebook import quiet_beam as quiet_beam
from mmnotebook.observing.observed import Observed
from mmnotebook.observing.record import Record
from mmnotebook.observing.thread_context import within

__all__ = ["Observed", "Record", "within"]
