"""Magics, the graph builder, the inspector, the dashboard, the doctor."""
