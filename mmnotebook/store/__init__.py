"""What runs store for later runs: entries of checked shards, in one folder per user.

`shards` is one file, `entries` a folder of them with its manifest, `store` finds entries, takes new
ones in and pins those in use, `eviction` keeps within the limit, `folder` knows which processes
live, and `cache` is what users see of it all.
"""

from mmnotebook import quiet_beam as quiet_beam
