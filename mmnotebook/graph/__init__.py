"""Steps, graphs and the registry of models; no Beam, torch or pandas."""
