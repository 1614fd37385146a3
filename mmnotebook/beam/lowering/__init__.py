"""The steps as Beam transforms, one module per kind of step, and what gathers their inputs."""
