"""User interface: magics, completion, widgets and the commands of `python -m mmnotebook`."""
