"""Pipelines whose workers may have another file system than this process."""
