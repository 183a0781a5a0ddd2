"""Errors in OpenAI's shape: ``{"error": {"message", "type", "param", "code"}}``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from selftaught.errors import ConfigError, DataError, SelftaughtError

_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    405: "invalid_request_error",
    413: "invalid_request_error",
    415: "invalid_request_error",
    429: "rate_limit_error",
    503: "service_unavailable_error",
}


class ApiError(Exception):
    """A request is refused, or failed, with an HTTP status."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.message, self.param, self.code = status, message, param, code
        self.headers = dict(headers or {})

    def body(self) -> dict[str, Any]:
        """The JSON body; the same object stands in a frame of a stream."""
        kind = _TYPES.get(self.status, "server_error" if self.status >= 500 else "invalid_request_error")
        return {"error": {"message": self.message, "type": kind, "param": self.param, "code": self.code}}


def invalid(message: str, param: str | None = None, code: str | None = "invalid_value") -> ApiError:
    """400: a value of the request is wrong."""
    return ApiError(400, message, param=param, code=code)


def unsupported(param: str, message: str) -> ApiError:
    """400: a parameter that this server cannot honour, and that would change the answer."""
    return ApiError(400, message, param=param, code="unsupported_parameter")


def of_failure(error: Exception) -> ApiError:
    """What a client is told of an error of ours: its message for one that we know, none of its insides for another."""
    if isinstance(error, ApiError):
        return error
    if isinstance(error, ConfigError | DataError):
        return invalid(str(error))
    if isinstance(error, SelftaughtError):
        return ApiError(503, str(error), code="unavailable")
    return ApiError(500, "the server failed; its log says how.", code="internal_error")
