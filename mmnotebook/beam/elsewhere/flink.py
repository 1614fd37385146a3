"""Cancellation of a job by the REST interface of Flink.

Beam's job server for Flink forgets a job that is canceled, while the job goes on in Flink; and for
a job that was submitted as a jar, Beam posts to a route that Flink does not have.
"""

from __future__ import annotations

import json
import urllib.request
from typing import Any

from apache_beam.options.pipeline_options import FlinkRunnerOptions, GoogleCloudOptions

_ENDED = {"FINISHED", "FAILED", "CANCELED"}
_TIMEOUT = 30.0


def cancel(options: Any) -> None:
    """Cancel the jobs with the name in the options, if the options have the address of Flink."""
    master = str(options.view_as(FlinkRunnerOptions).flink_master or "")
    name = options.view_as(GoogleCloudOptions).job_name
    if not name or not master or master.startswith("["):
        return
    address = (master if "://" in master else f"http://{master}").rstrip("/")
    for job in _asked(f"{address}/jobs/overview")["jobs"]:
        if job["name"] == name and job["state"] not in _ENDED:
            cancel_job(address, job["jid"])


def cancel_job(address: str, job_id: str) -> None:
    """Cancel one job."""
    _asked(f"{address}/jobs/{job_id}?mode=cancel", "PATCH")


def _asked(url: str, method: str = "GET") -> Any:
    request = urllib.request.Request(url, method=method)
    with urllib.request.urlopen(request, timeout=_TIMEOUT) as answer:
        return json.loads(answer.read() or b"{}")
