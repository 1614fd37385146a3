"""How a graph runs. The only room that imports Beam."""

from mmnotebook.runtime.running import logs

# Beam warns about Google Cloud while it is imported, through a root logger that it sets up.
with logs.quiet():
    import apache_beam.runners.interactive.interactive_runner  # noqa: F401
