"""What each step kind is, a module each in `kinds`; validation, wording, layout and drawing."""
