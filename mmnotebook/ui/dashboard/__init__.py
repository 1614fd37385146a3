"""The metrics of runs side by side: `Dashboard`, and `dashboard`, which makes one."""

from mmnotebook.ui.dashboard.board import Dashboard, dashboard

__all__ = ["Dashboard", "dashboard"]
