"""Editing a graph: documents, the commands that change them, and what can be undone."""
