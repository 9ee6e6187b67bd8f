"""How answers are written: msgspec bytes, lists with a cursor, and their schemas for the OpenAPI page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, TypeVar

import msgspec
from fastapi import Request, Response

from onetape.bots.desk import Desk
from onetape.domain.errors import BadInput

JSON: Final = "application/json"
Given = TypeVar("Given")


class Items(msgspec.Struct, frozen=True):
    """Every list: `next` is the cursor for the following page (give it as `before`), null at the end."""

    items: Sequence[Any]
    next: str | None = None


def answer(value: Any, status: int = 200) -> Response:
    return Response(msgspec.json.encode(value), status, media_type=JSON)


def items(rows: Sequence[Any], following: str = "") -> Response:
    return answer(Items(rows, following or None))


def desk(request: Request) -> Desk:
    """What a route works with."""
    found: Desk = request.app.state.desk
    return found


async def body(request: Request, kind: type[Given]) -> Given:
    """The request's JSON body as a struct; amounts may be decimal strings, as the answers write them.

    Raises BadInput with the path of what does not fit.
    """
    text = await request.body()
    try:
        return msgspec.json.decode(text, type=kind, strict=False)
    except msgspec.ValidationError as error:
        problem, _, path = str(error).partition(" - at ")
        field = path.strip("`") or "$"
        raise BadInput(field, at(text, field), problem[:1].lower() + problem[1:]) from None
    except msgspec.DecodeError as error:
        raise BadInput("$", text[:80].decode(errors="replace"), f"not JSON ({error})") from None


def at(text: bytes, path: str) -> Any:
    """What stands at a path like `$.limits.stop` of a JSON document; the whole document where nothing does."""
    value = msgspec.json.decode(text)
    for part in path.split(".")[1:]:
        if not isinstance(value, dict) or part not in value:
            break
        value = value[part]
    return value


def shows(kind: Any, status: int = 200) -> dict[int | str, dict[str, Any]]:
    """For `responses=`: this route answers a JSON document of that type."""
    return {status: {"description": "done", "content": {JSON: {"schema": schema(kind)}}}}


def takes(kind: Any) -> dict[str, Any]:
    """For `openapi_extra=`: this route takes a JSON document of that type."""
    return {"requestBody": {"required": True, "content": {JSON: {"schema": schema(kind)}}}}


def schema(kind: Any) -> dict[str, Any]:
    """A JSON schema that refers to nothing outside itself."""
    [top], parts = msgspec.json.schema_components([kind], ref_template="#/components/schemas/{name}")
    COMPONENTS.update(parts)
    return top


COMPONENTS: dict[str, Any] = {}  # what the OpenAPI document must contain because `schema` referred to it
