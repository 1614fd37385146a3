"""The visual builder: canvas, palette, panel, text and runs in one widget."""
