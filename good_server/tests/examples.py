"""Make example payloads from the schemas of payload models."""

# the value of a schema without a form of its own
BY_TYPE = {"integer": 1, "number": 1.5, "boolean": True, "null": None}


def example(model):
    """Return the smallest payload that has the form of `model`.

    It may name a room or user that does not exist.
    """
    schema = model.model_json_schema()
    return _value(schema, schema.get("$defs", {}))


def _value(schema, definitions):
    if "$ref" in schema:
        return _value(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    for choice in ("enum", "anyOf"):
        if choice in schema:
            first = schema[choice][0]
            return first if choice == "enum" else _value(first, definitions)
    if schema["type"] == "object":
        wanted = {*schema.get("required", ()), *(schema["oneOf"][0]["required"] if "oneOf" in schema else ())}
        return {name: _value(part, definitions) for name, part in schema["properties"].items() if name in wanted}
    if schema["type"] == "array":
        return [_value(schema["items"], definitions)]
    if schema["type"] == "string":
        return "x" * max(1, schema.get("minLength", 1))
    return schema.get("minimum", BY_TYPE[schema["type"]])
