"""Registration of models: from the user's target to a spec in the registry."""
