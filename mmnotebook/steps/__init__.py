"""What each kind of step means for a graph: its checks, its words and its drawing."""
