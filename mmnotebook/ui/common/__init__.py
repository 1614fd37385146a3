"""What several parts of the interface use."""
