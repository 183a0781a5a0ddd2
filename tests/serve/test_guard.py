"""Who is let in, and what a log line holds."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import httpx2
import pytest

from selftaught.errors import ConfigError
from selftaught.serve.backend import Backend
from selftaught.serve.options import ServeOptions
from selftaught.serve.run import check_exposure

from .living import Living, living

KEY, OTHER = "sk-right", "sk-second"


@pytest.fixture(scope="module")
def locked(backend: Backend) -> Iterator[Living]:
    with living(backend, ServeOptions(api_keys=(KEY, OTHER), max_body_bytes=2_000, body_timeout_s=0.5)) as one:
        yield one


def get(server: Living, path: str, **headers: str) -> httpx2.Response:
    with httpx2.Client(timeout=30) as http:
        return http.get(server.root + path, headers={name: value.encode("latin-1") for name, value in headers.items()})


@pytest.mark.parametrize("key", [KEY, OTHER])
def test_a_key_opens_every_route(locked: Living, key: str) -> None:
    for path in ("/v1/models", "/ready", "/metrics", "/version", "/health"):
        assert get(locked, path, Authorization=f"Bearer {key}").status_code == 200


@pytest.mark.parametrize(
    "header", ["", "Bearer", f"Basic {KEY}", f"Bearer {KEY}x", "Bearer sk-righ", KEY, "Bearer \xff"]
)
def test_without_the_key_only_health_answers(locked: Living, header: str) -> None:
    headers = {"Authorization": header} if header else {}
    for path in ("/v1/models", "/ready", "/metrics", "/v1/none"):
        response = get(locked, path, **headers)
        assert response.status_code == 401 and response.json()["error"]["code"] == "invalid_api_key"
    assert get(locked, "/health", **headers).json() == {"status": "ok"}


def test_bodies_are_bounded(locked: Living) -> None:
    headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
    url = f"{locked.url}/chat/completions"
    with httpx2.Client(timeout=30, headers=headers) as http:
        assert http.post(url, content=b"x" * 2_001).status_code == 413
        chunked = http.post(url, content=iter([b" " * 1_500, b" " * 1_500]))
        assert chunked.status_code == 413 and chunked.json()["error"]["code"] == "request_too_large"

        def slowly() -> Iterator[bytes]:
            import time

            yield b"{"
            time.sleep(1.0)
            yield b"}"

        assert http.post(url, content=slowly()).status_code == 408


@pytest.mark.parametrize(
    ("body", "kind", "status", "code"),
    [
        (b"{}", "text/plain", 415, "unsupported_media_type"),
        (b"{}", "", 415, "unsupported_media_type"),
        (b"", "application/json", 400, "invalid_json"),
        (b"[]", "application/json", 400, "invalid_json"),
        (b"\xff\xfe", "application/json", 400, "invalid_json"),
        (b'{"a": NaN}', "application/json", 400, "invalid_json"),
        (b"[" * 100_000, "application/json; charset=utf-8", 400, "invalid_json"),
        (b"1" * 10_000, "application/json", 400, "invalid_json"),
        (b"{}", "application/json", 400, "missing_required_parameter"),
    ],
)
def test_bodies_that_are_no_request(server: Living, body: bytes, kind: str, status: int, code: str) -> None:
    with httpx2.Client(timeout=30) as http:
        headers = {"Content-Type": kind} if kind else {}
        response = http.post(f"{server.url}/chat/completions", content=body, headers=headers)
    assert response.status_code == status and response.json()["error"]["code"] == code


def test_a_compressed_body_is_refused(server: Living) -> None:
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    with httpx2.Client(timeout=30) as http:
        assert http.post(f"{server.url}/chat/completions", content=b"\x1f\x8b", headers=headers).status_code == 415


@pytest.mark.parametrize(
    ("host", "status"),
    [("localhost:80", 200), ("127.0.0.1", 200), ("[::1]:5", 200), ("evil.example", 403), ("evil.example:80", 403)],
)
def test_a_name_that_is_not_this_machine_is_refused(server: Living, host: str, status: int) -> None:
    assert get(server, "/v1/models", Host=host).status_code == status


def test_with_a_key_any_name_will_do(locked: Living) -> None:
    assert get(locked, "/v1/models", Host="gpu.example", Authorization=f"Bearer {KEY}").status_code == 200


def test_errors_of_the_router_have_the_same_shape(server: Living) -> None:
    for method, path, status in (
        ("GET", "/v1/none", 404),
        ("GET", "/v1/chat/completions", 405),
        ("PUT", "/health", 405),
    ):
        with httpx2.Client(timeout=30) as http:
            response = http.request(method, server.root + path)
        assert response.status_code == status and set(response.json()["error"]) == {"message", "type", "param", "code"}


def test_a_request_id_is_kept_or_made(server: Living) -> None:
    assert get(server, "/health", **{"X-Request-Id": "mine-1"}).headers["x-request-id"] == "mine-1"
    for bad in ("", "x" * 500, "a b"):
        made = get(server, "/health", **{"X-Request-Id": bad}).headers["x-request-id"]
        assert made.startswith("req-")


def test_a_log_line_has_no_word_of_the_prompt(server: Living, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="selftaught.serve"), httpx2.Client(timeout=60) as http:
        body = {"model": "toy", "messages": [{"role": "user", "content": "aubergine"}], "max_tokens": 3}
        http.post(f"{server.url}/chat/completions", json=body)
        http.post(f"{server.url}/chat/completions", json={**body, "model": "aubergine"})
    lines = [record.getMessage() for record in caplog.records]
    assert any("POST /v1/chat/completions 200" in line for line in lines)
    assert not any("aubergine" in line for line in lines)


def test_cors_is_off_unless_an_origin_is_named(server: Living, backend: Backend) -> None:
    asked = {"Origin": "https://chat.example", "Access-Control-Request-Method": "POST"}
    with httpx2.Client(timeout=30) as http:
        assert "access-control-allow-origin" not in http.options(f"{server.url}/models", headers=asked).headers
        options = ServeOptions(allowed_origins=("https://chat.example",), api_keys=(KEY,))
        with living(backend, options) as open_:
            allowed = http.options(f"{open_.url}/models", headers=asked)
            assert allowed.headers["access-control-allow-origin"] == "https://chat.example"
            other = http.options(f"{open_.url}/models", headers={**asked, "Origin": "https://evil.example"})
            assert "access-control-allow-origin" not in other.headers


def test_other_machines_need_a_key() -> None:
    for host in ("127.0.0.1", "localhost", "::1", "127.3.2.1"):
        assert check_exposure(host, ServeOptions(), unsafe=False).local_only
    for host in ("0.0.0.0", "::", "192.168.1.5", "gpu.example"):
        with pytest.raises(ConfigError, match="--api-key"):
            check_exposure(host, ServeOptions(), unsafe=False)
        assert not check_exposure(host, ServeOptions(api_keys=("k",)), unsafe=False).local_only
        assert not check_exposure(host, ServeOptions(), unsafe=True).local_only


def test_probes(server: Living) -> None:
    ready = get(server, "/ready")
    assert ready.status_code == 200 and ready.json()["engine"] == ready.json()["sandbox"] == "ok"
    page = get(server, "/metrics").text
    assert 'start_requests_total{route="/ready",status="200"}' in page and "start_answers_running" in page
