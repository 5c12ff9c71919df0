"""Finds calls of the checked code that read or write databases.

The calls are recognised by the names of methods and objects.
"""

import re

from lab.check.facts import Facts
from lab.check.ir import Call, Const, Index, Member, Name, Node, Record, Text, This
from lab.check.ir import Sequence as ListOf
from lab.check.scopes import class_of, field_type
from lab.check.tags import Tag

# methods of ORMs and drivers that write: these names are enough
DATABASE_WRITES = re.compile(
    # findOneAndUpdate, findByIdAndReplace
    r"^((find(One|ById)?And)(Update|Replace|Modify)|findOneAndUpsert|upsert\w*"
    # updateMany, insert_one
    r"|(update|insert|replace)(One|Many|_one|_many)"
    r"|bulk_?(create|write|update)\w*)$",
    re.I,
)
# these need an object that is a database
WEAK_WRITES = re.compile(
    r"^(create\w*|update\w*|insert\w*|save|add|set|run|merge|values|query|execute\w*|patch|raw)$", re.I
)
DATABASE = re.compile(
    # databases, connections and cursors
    r"(database|db|pool|conn|connection|cursor|cur|db_?session|session|sql\w*"
    # mappers and drivers
    r"|prisma|knex|supabase|mongo|entitymanager"
    # tables and collections
    r"|model|repo|repository|dao|collection|objects|query)$",
    re.I,
)
# a service that keeps records behind HTTP
HTTP_WRITES = re.compile(r"^(patch|put|post)$")
HTTP = re.compile(r"(axios|http\w*|got|superagent|requests|httpx|apiClient|api)$", re.I)
# objects of the language and of logs, which are no database
OUTER = re.compile(r"(console|logger?|log|logging|print|Math|JSON|Object|Array|Promise|process|assert)$", re.I)
# methods that look records up
FINDERS = re.compile(
    r"^(find\w*|get\w*|first|one|one_or_none|scalar\w*|fetch\w*|query|load\w*|exec|lean|populate|select)$", re.I
)
# methods that change a record, whatever the object is called
UPDATES = {"update", "updateOne", "save", "patch", "findByIdAndUpdate"}
# beginnings of statements that read or write
SQL = re.compile(r"\s*(select|insert|update|delete|with)\b", re.I)


def is_database_write(facts: Facts, call: Call) -> bool:
    """Tell whether a call writes to a database.

    This is judged by the names of the method and of its object. An HTTP request that writes, such as `axios.post(…)`,
    counts, too.
    """
    if not isinstance(call.func, Member):
        return False
    name, obj = call.func.name, call.func.obj
    if facts.values.of(obj) & (Tag.SERVER | Tag.SOCKET | Tag.CLIENT) or OUTER.search(object_name(obj)):
        return False
    if DATABASE_WRITES.match(name):
        return True
    if HTTP_WRITES.match(name):
        return bool(HTTP.search(object_name(obj)))
    if not WEAK_WRITES.match(name):
        return False
    names = [part.name for part in obj.walk() if isinstance(part, Name | Member)]
    return any(DATABASE.search(part) for part in names) or (
        bool(names) and names[-1][:1].isupper() and not names[-1].isupper()
    )


def object_name(node: Node) -> str:
    """Return the last name of a dotted expression, or "" without one.

    Calls and keys at the end of the expression are skipped: `this.users[id]` gives "users".
    """
    while isinstance(node, (Call, Index)):
        node = node.func if isinstance(node, Call) else node.obj
    return node.name if isinstance(node, (Name, Member)) else ""


def is_written(facts: Facts, node: Node) -> bool:
    """Tell whether the object literal `node` is written to a database.

    That is so if the literal is an argument, or part of an argument, of a call that writes to a database. A call of a
    method such as `save` or `update` is enough, whatever its object is called.
    """
    above = node.parent
    while isinstance(above, Record | ListOf):
        above = above.parent
    return isinstance(above, Call) and (is_database_write(facts, above) or getattr(above.func, "name", "") in UPDATES)


def is_record(facts: Facts, expr: Node) -> bool:
    """Tell whether the variable `expr` holds what a database query returned.

    That is so if the variable was assigned the result of a method with a name such as `findOne`. What comes from a
    collection that the checked code keeps in memory does not count.
    """
    match facts.made(expr):
        case Call(func=Member(name=name)):
            return FINDERS.match(name) is not None and not facts.keeps(expr)
    return False


def sql_of(facts: Facts, call: Call) -> str:
    """Return the SQL text that a call runs, or ""."""
    for arg in call.args[:1]:
        found = facts.follow(arg)
        parts = found.parts if isinstance(found, Text) else [found]
        text = "".join(str(part.value) for part in parts if isinstance(part, Const) and isinstance(part.value, str))
        if SQL.match(text):
            return text
    return ""


def is_injected(obj: Node) -> bool:
    """Tell whether `obj` is a class's field with a declared type.

    Frameworks such as Nest put repositories and services into such fields.
    """
    cls = class_of(obj)
    if cls is None or not isinstance(obj, Member) or not isinstance(obj.obj, This):
        return False
    return bool(field_type(cls, obj.name))
