"""A run from the outside: Beam's environment, the channel to the steps, counts and progress."""
