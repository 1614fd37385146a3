"""Registering models: from what the user hands over to a spec in the registry."""
