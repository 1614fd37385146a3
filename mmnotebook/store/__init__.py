"""What runs store for later runs: entries of checked shards, in one folder per user.

`shards` has one file, and `entries` a folder of them with its manifest. `store` finds entries, adds
new ones and pins those in use. `eviction` keeps the store within its limit, `folder` knows which
processes are alive, and `cache` is what users see.
"""

from mmnotebook import quiet_beam as quiet_beam
