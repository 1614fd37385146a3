"""Models: what can be registered, where it is kept, how it is fed and weighed."""
