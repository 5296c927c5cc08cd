"""Tells schemathesis what the hub has, and keeps it from what it must not do: write outside its folder, fill the disk,
end what it reads from."""

import json
import os
import posixpath

import schemathesis

FACTS = json.loads(os.environ["SENDENSE_FACTS"])
# Folders of this computer that requests may name lie below that one.
FOLDER = FACTS["folder"]
# What has to be there to the end: recovery points and a mount.
KEPT = set(FACTS["kept"])
# So many backups and copies are made; those asked for later are of something that is not there.
MOST = {("POST", "/api/v1/backups"): 4, ("POST", "/api/v1/backups/{backup_id}/copy"): 4}
NAMES = {"/api/v1/backups": "vm_name", "/api/v1/backups/{backup_id}/copy": "repository_id"}

# Names of what the hub has: made-up ones alone would be refused before anything happens.
KNOWN = FACTS["known"]

accepted = dict.fromkeys(MOST, 0)


def offer(name, schema):
    """Half of all values are of what the hub has."""
    known = KNOWN.get(name)
    if not known or "enum" in schema:
        return schema
    if schema.get("type") == "array":
        return {**schema, "items": {"anyOf": [{"enum": known}, schema["items"]]}}
    return {"anyOf": [{"enum": known}, schema]}


def close(schema):
    """An answer has no field that the document does not have."""
    if isinstance(schema, dict):
        if "properties" in schema:
            schema.setdefault("additionalProperties", False)
        for inner in schema.values():
            close(inner)
    elif isinstance(schema, list):
        for inner in schema:
            close(inner)


def references(part):
    """The schemas that a part of the document is made of."""
    if isinstance(part, dict):
        kind, _, name = part.get("$ref", "").rpartition("/")
        if kind == "#/components/schemas":
            yield name
        for inner in part.values():
            yield from references(inner)
    elif isinstance(part, list):
        for inner in part:
            yield from references(inner)


def reached(parts, schemas):
    """Those schemas and all below them."""
    names, found = list(references(parts)), set()
    while names:
        name = names.pop()
        if name not in found:
            found.add(name)
            names.extend(references(schemas[name]))
    return found


@schemathesis.hook
def before_load_schema(context, raw_schema):
    schemas = raw_schema["components"]["schemas"]
    operations = [one for path in raw_schema["paths"].values() for one in path.values()]
    answers = [one["responses"] for one in operations] + [raw_schema["components"]["responses"]]
    for name in reached(answers, schemas):
        close(schemas[name])
    for name in reached([one.get("requestBody") for one in operations], schemas):
        properties = schemas[name].get("properties", {})
        properties.update({key: offer(key, schema) for key, schema in properties.items()})
    for operation in operations:
        for parameter in operation["parameters"]:
            parameter["schema"] = offer(parameter["name"], parameter["schema"])


def inside(folder):
    """The same path below the folder of this run."""
    if not isinstance(folder, str) or not folder.startswith("/"):
        return folder
    path = posixpath.normpath(folder)
    if path == FOLDER or path.startswith(FOLDER + "/"):
        return path
    return FOLDER + "/elsewhere" + posixpath.normpath("/" + path.lstrip("/"))


def bound_folders(value):
    """Moves every folder that a body names."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if name in ("path", "folder"):
                value[name] = inside(inner)
            else:
                bound_folders(inner)


@schemathesis.hook
def before_call(context, case, kwargs):
    operation = (case.method.upper(), case.path)
    bound_folders(case.body)
    for name, value in (case.path_parameters or {}).items():
        if not isinstance(value, str):
            # As it stands in the path; what follows a "#" would be no part of it.
            case.path_parameters[name] = str(value).replace("#", "")
        elif operation[0] == "DELETE" and value in KEPT:
            case.path_parameters[name] = "kept"
    full = accepted.get(operation, 0) >= MOST.get(operation, 1)
    if full and isinstance(case.body, dict):
        name = NAMES[operation[1]]
        if isinstance(case.body.get(name), str) and case.body[name]:
            case.body[name] = "enough"


@schemathesis.hook
def after_call(context, case, response):
    operation = (case.method.upper(), case.path)
    if operation in MOST and response.status_code < 300:
        accepted[operation] += 1
