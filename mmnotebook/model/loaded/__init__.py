"""Models that are loaded: which stay, what they weigh, and what they do in memory."""
