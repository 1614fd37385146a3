"""Metrics of runs side by side: `Dashboard` and `dashboard`."""

from mmnotebook.ui.dashboard.board import Dashboard, dashboard

__all__ = ["Dashboard", "dashboard"]
