"""What flows through a run: blocks of elements, held column by column."""
