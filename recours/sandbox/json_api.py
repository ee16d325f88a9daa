"""JSON over HTTP, shared by the simulated REST carriers."""

import base64
import binascii
import json
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import parse_qs

from recours.sandbox.answers import Answer, BadRequestError, HttpRequest, Question

if TYPE_CHECKING:
    from types import UnionType

CONTENT_TYPE = "application/json;charset=UTF-8"


def answer(tree: Any, status: int = 200, content_type: str = CONTENT_TYPE, **headers: str) -> Answer:
    """A JSON answer. The names of `headers` have underscores in place of hyphens."""
    body = json.dumps(tree, ensure_ascii=False).encode()
    named = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return Answer(status, body, content_type, named)


def problem(status: int, title: str, detail: str, **headers: str) -> Answer:
    """An error in the format of RFC 7807."""
    tree = {"title": title, "status": status, "detail": detail}
    return answer(tree, status, "application/problem+json", **headers)


def needs(request: HttpRequest, method: str, refusal: Answer) -> None:
    """Require this method. Raises BadRequestError with a 405 and the body of `refusal`."""
    if request.method != method:
        raise BadRequestError(Answer(405, refusal.body, refusal.content_type, (("Allow", method),)))


def read_tree(request: HttpRequest, refusal: Answer) -> dict[str, Any]:
    """The JSON object in a request. Raises BadRequestError with the refusal."""
    _needs_type(request, "application/json", refusal)
    try:
        tree = json.loads(request.body)
    except (ValueError, RecursionError):
        raise BadRequestError(refusal) from None
    if not isinstance(tree, dict):
        raise BadRequestError(refusal)
    return tree


# The required format of a part of a request: a regular expression for a string, types, a list with the format of its
# items, or the formats of an object's fields by name. The name of an optional field ends with a question mark.
Form: TypeAlias = "str | type[Any] | UnionType | list[Form] | Mapping[str, Form]"


def check(value: Any, form: Form, refuse: Callable[[str], BadRequestError], where: str = "body") -> None:
    """Require that a value in a request has this format. Otherwise raise what `refuse` makes of a reason."""
    if isinstance(form, Mapping):
        _check_object(value, form, refuse, where)
    elif isinstance(form, list):
        if not isinstance(value, list) or not value:
            raise refuse(f"{where} must be a non-empty list")
        for item in value:
            check(item, form[0], refuse, where)
    elif isinstance(form, str):
        if not isinstance(value, str) or not re.fullmatch(form, value, re.DOTALL):
            raise refuse(f"{where} has the wrong format")
    elif not isinstance(value, form):
        raise refuse(f"{where} has the wrong type")


def _check_object(
    value: Any, forms: Mapping[str, Form], refuse: Callable[[str], BadRequestError], where: str
) -> None:
    if not isinstance(value, dict):
        raise refuse(f"{where} must be an object")
    fields = {name.rstrip("?"): form for name, form in forms.items()}
    missing = [name for name in forms if not name.endswith("?") and name not in value]
    if wrong := [*missing, *(name for name in value if name not in fields)]:
        raise refuse(f"{where}.{wrong[0]} is missing or is not a known field")
    for name, inner in value.items():
        check(inner, fields[name], refuse, f"{where}.{name}")


def read_form(request: HttpRequest, refusal: Answer) -> dict[str, str]:
    """The fields of a form. Raises BadRequestError with the refusal."""
    _needs_type(request, "application/x-www-form-urlencoded", refusal)
    return first_values(request.body.decode("utf-8", "replace"))


def read_token(
    request: HttpRequest, refusal: Answer, *fields: str, grant: str = "client_credentials"
) -> Question:
    """Parse a token request, with the account in Basic authentication or two form fields. Raises BadRequestError.

    `fields`: the account's two fields, then the others that this grant type requires.
    """
    needs(request, "POST", refusal)
    form = read_form(request, refusal)
    if form.keys() != {"grant_type", *fields} or form["grant_type"] != grant:
        raise BadRequestError(refusal)
    account, password = [form[name] for name in fields[:2]] or basic_account(request)
    details = {name: form[name] for name in fields[2:]}
    return Question("token", credentials=(account, password), is_token_request=True, details=details)


def _needs_type(request: HttpRequest, content_type: str, refusal: Answer) -> None:
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != content_type:
        raise BadRequestError(refusal)


def parameters(request: HttpRequest, forms: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """The parameters of the query, and the names of those that are missing, unknown or in the wrong format.

    `forms`: regular expressions by name. The name of an optional parameter ends with a question mark.
    """
    values = first_values(request.query)
    known = {name.rstrip("?"): form for name, form in forms.items()}
    missing = [name for name in forms if not name.endswith("?") and name not in values]
    wrong = [n for n, value in values.items() if n not in known or not re.fullmatch(known[n], value)]
    return values, missing + wrong


def first_values(query: str) -> dict[str, str]:
    """The parameters of a query, each with its first value."""
    return {name: values[0] for name, values in parse_qs(query, keep_blank_values=True).items()}


def basic_account(request: HttpRequest) -> tuple[str, str]:
    """The user and password of Basic authentication, or two empty strings."""
    kind, _, encoded = request.headers.get("authorization", "").partition(" ")
    try:
        pair = base64.b64decode(encoded, validate=True).decode() if kind.lower() == "basic" else ""
    except (binascii.Error, ValueError):
        return "", ""
    user, _, password = pair.partition(":")
    return user, password


def bearer(request: HttpRequest) -> str:
    """The token of a request, or "none", which no carrier ever issues."""
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    return token if kind.lower() == "bearer" and token else "none"


def base64_text(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")
