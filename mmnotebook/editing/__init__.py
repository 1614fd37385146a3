"""Graph editing: documents, commands on them, and undo."""
