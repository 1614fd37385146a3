"""Internals of the notation; its public module is `mmnotebook.notation.text`."""
