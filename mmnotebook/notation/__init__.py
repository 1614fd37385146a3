"""The notation from the inside; its door is `mmnotebook.notation.text`."""
