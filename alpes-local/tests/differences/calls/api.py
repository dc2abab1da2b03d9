"""A REST API of API Gateway."""

from typing import Any

from calls.call import Call


def api(about: str, path: str, method: str = "GET", **rest: Any) -> Call:
    headers = {"Accept": "*/*"} | rest.pop("headers", {})
    return Call("apigateway", "http", about, {"method": method, "path": "${api}" + path, "headers": headers} | rest)


API = [
    api("of a route", "/echo"),
    api("with a query", "/echo?a=1&a=2&b=x%20y+z&c"),
    api(
        "with a body",
        "/echo",
        "POST",
        body='{"x": "ñ"}',
        headers={"Content-Type": "application/json", "X-Twice": "1"},
    ),
    api("with a path parameter", "/things/a%2Fb%20c"),
    api("with a rest of the path", "/files/a/b/"),
    api("of a method that is missing", "/things/1", "DELETE"),
    api("of a route that is missing", "/none"),
    api(
        "of a function that fails", "/echo", "POST", body='{"do": "fail"}', headers={"Content-Type": "application/json"}
    ),
]
