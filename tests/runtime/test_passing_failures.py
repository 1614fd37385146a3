"""Temporary failures: which errors are temporary, and that only these elements are tried again."""

from __future__ import annotations

import asyncio
import concurrent.futures
import errno
import http.client
import io
import json
import socket
import ssl
import subprocess
import urllib.error
from email.message import Message
from http import HTTPStatus
from types import SimpleNamespace
from typing import Any

import httpx
import openai
import pytest
import torch

from mmnotebook.beam.dofns.transient_errors import may_pass


def raised(error: BaseException, cause: BaseException) -> BaseException:
    """Return an error that was raised from another one."""
    error.__cause__ = cause
    return error


def with_(kind: type[BaseException] = Exception, **attributes: Any) -> BaseException:
    """Return an error with attributes, as clients raise them."""
    error = kind("refused")
    vars(error).update(attributes)
    return error


def hidden(error: BaseException, context: BaseException) -> BaseException:
    """Return an error that was raised `from None` while another one was handled."""
    error.__context__, error.__suppress_context__ = context, True
    return error


def answered(status: int, **headers: str) -> urllib.error.HTTPError:
    made = Message()
    for name, value in headers.items():
        made[name.replace("_", "-")] = value
    return urllib.error.HTTPError("http://x", status, "refused", made, io.BytesIO())


def of_openai(status: int) -> BaseException:
    request = httpx.Request("POST", "http://x")
    response = httpx.Response(status, request=request)
    return openai.APIStatusError("refused", response=response, body=None)


class Grpc(Exception):
    """An error like grpc's: `code()` returns a member whose value is (number, text)."""

    def __init__(self, number: int) -> None:
        super().__init__("refused")
        self.number = number

    def code(self) -> Any:
        return SimpleNamespace(value=(self.number, "x"))


class TooManyRequests(Exception):
    """An error with a name, but no text."""


class Odd(Exception):
    """An error whose attributes and text raise."""

    @property
    def response(self) -> Any:
        raise RuntimeError("no response")

    def __str__(self) -> str:
        raise RuntimeError("no text")


def of_botocore(status: int, code: str) -> BaseException:
    answer = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return with_(response=answer)


PASSING = {
    "429": answered(429),
    "503": answered(503),
    "529": with_(status_code=529),
    "408": with_(status=408),
    "401, as a key may be put right": with_(status_code=401),
    "status enum": with_(code=HTTPStatus.TOO_MANY_REQUESTS),
    "status of a response": with_(response=SimpleNamespace(status_code=429)),
    "status of a resp": with_(resp=SimpleNamespace(status=503)),
    "http_status": with_(http_status=429),
    "403 with Retry-After": answered(403, Retry_After="3"),
    "400 with retry-after of a response": with_(
        status_code=400, response=SimpleNamespace(headers={"retry-after": "1"})
    ),
    "retry_after": with_(retry_after=2.0),
    "openai": of_openai(429),
    "openai, overloaded": of_openai(500),
    "openai, time-out": openai.APITimeoutError(request=httpx.Request("POST", "http://x")),
    "openai, connection": openai.APIConnectionError(request=httpx.Request("POST", "http://x")),
    "code in words": with_(code="rate_limit_exceeded"),
    "throttled with 400": of_botocore(400, "ThrottlingException"),
    "botocore 503": of_botocore(503, "InternalFailure"),
    "grpc unavailable": Grpc(14),
    "grpc exhausted": Grpc(8),
    "grpc deadline": Grpc(4),
    "connection": ConnectionResetError("gone"),
    "disconnected": http.client.RemoteDisconnected("gone"),
    "incomplete": http.client.IncompleteRead(b""),
    "no host": socket.gaierror(socket.EAI_AGAIN, "no name"),
    "URLError": urllib.error.URLError(ConnectionRefusedError(errno.ECONNREFUSED, "no")),
    "httpx": httpx.ConnectTimeout("late"),
    "httpx, protocol": httpx.RemoteProtocolError("gone"),
    "time-out": TimeoutError("late"),
    "asyncio": asyncio.TimeoutError(),
    "futures": concurrent.futures.TimeoutError(),
    "subprocess": subprocess.TimeoutExpired("x", 1),
    "unreachable": OSError(errno.ENETUNREACH, "no network"),
    "too many files": OSError(errno.EMFILE, "too many open files"),
    "memory": MemoryError(),
    "torch": torch.OutOfMemoryError("CUDA out of memory"),
    "torch on the CPU": RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"),
    "by its name": TooManyRequests("slow"),
    "because of one": raised(ValueError("no answer"), answered(429)),
    "because of one, hidden": hidden(ValueError("no answer"), TimeoutError()),
    "because of one, far": raised(KeyError("x"), raised(ValueError("y"), ConnectionError())),
    "holds one": ValueError("no answer", ConnectionResetError("gone")),
    "odd, because of one": raised(Odd(), TimeoutError()),
}
LASTING = {
    "400": answered(400),
    "404": with_(status_code=404),
    "422": of_openai(422),
    "501": with_(status=501),
    "a verdict, whatever class": with_(ConnectionError, status_code=400),
    "botocore 400": of_botocore(400, "ValidationException"),
    "grpc invalid": Grpc(3),
    "grpc not found": Grpc(5),
    "value": ValueError("too few"),
    "json": json.JSONDecodeError("no", "", 0),
    "no file": FileNotFoundError(errno.ENOENT, "no such file"),
    "no right": PermissionError(errno.EACCES, "no"),
    "runtime": RuntimeError("shapes cannot be multiplied"),
    "because of a lasting one": raised(ValueError("x"), answered(404)),
    "bad certificate": ssl.SSLCertVerificationError(1, "bad"),
    "odd": Odd(),
    "other code": with_(code=7),
    "bool": with_(status=True),
}


@pytest.mark.parametrize("name", PASSING)
def test_temporary_errors(name: str) -> None:
    assert may_pass(PASSING[name])


@pytest.mark.parametrize("name", LASTING)
def test_permanent_errors(name: str) -> None:
    assert not may_pass(LASTING[name])


def test_a_chain_that_goes_in_a_circle() -> None:
    one, other = ValueError("one"), KeyError("other")
    one.__cause__, other.__cause__ = other, one
    assert not may_pass(one)


def test_one_error_of_a_group_is_enough() -> None:
    group = with_(exceptions=(ValueError("bad"), TimeoutError()))
    assert may_pass(group)
