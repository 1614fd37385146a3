"""Editing a graph: documents, the commands that change them, undo."""
