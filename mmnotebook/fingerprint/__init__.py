"""The content identity of code, objects, settings and files, equal in every process."""
