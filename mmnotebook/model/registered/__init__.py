"""Registration of models: from a target to a spec in the registry."""
