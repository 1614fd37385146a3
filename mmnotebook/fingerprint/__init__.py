"""What a value is, in 32 hex digits that are the same in every process."""
