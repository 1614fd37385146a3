"""Where it is used: magics, completion and the commands of `python -m mmnotebook`."""
