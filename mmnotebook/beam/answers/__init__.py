"""What was computed of equal elements before, in place of computing it again."""
