"""What values are typed into: a control per kind of value, and what is wrong with what is typed."""
