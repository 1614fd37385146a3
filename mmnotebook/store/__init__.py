"""The cache on disk: entries of checked shards, in one folder per user.

`shards` reads and writes a single file, and `entries` a folder of shards with its manifest. `store`
finds entries, adds new ones and pins those in use. `eviction` keeps the store within its limit,
`folder` checks which processes are alive, and `cache` is the public interface.
"""

from mmnotebook import quiet_beam as quiet_beam
