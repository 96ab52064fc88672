"""Types what the report says "in your code" into a copy of the module, as a reader of it would.

It reads nothing but the text of the advice, the line that the report shows, and the source. What a
reader knows is here: where a line of code that is to be typed belongs.

* a comment of the advice has the imports, and when the line must run: before the change (first in
  the function), in place of the call, else as soon as the thing is there;
* "keep the X in self.x, then ...": the call that makes the X is given that name;
* a ``with`` statement goes around the statement that makes what it closes, or around all of the
  function.
"""
from __future__ import annotations

import ast
import re

_KEPT = re.compile(r"keep the (?P<noun>.+?) in (?P<name>[\w.]+), then (?P<code>.+)\Z")
_WHEN = ("before the change", "in place of the call")


class CannotType(Exception):
    """The advice is not code, or the source has nothing that it could be about."""


class Advice:
    """The text of one remedy, taken apart."""

    def __init__(self, text):
        code, _, comment = text.partition("  # ")
        self.notes = [each for each in comment.split("; ") if each]
        self.when = next((each for each in self.notes if each in _WHEN), "")
        self.imports = [each for each in self.notes if each not in _WHEN]
        found = _KEPT.match(code)
        self.noun, self.name = (found.group("noun"), found.group("name")) if found else ("", "")
        self.code = found.group("code") if found else code
        try:
            parsed = self.code + " pass" if self.code.startswith("with ") else self.code
            self.body = ast.parse(parsed).body
        except SyntaxError:
            raise CannotType(text) from None
        if not all(isinstance(each, (ast.Expr, ast.With)) for each in self.body):
            raise CannotType(text)


def heal(source, function, remedy, line=0):
    """Return *source* with the text *remedy* typed into *function* ("Class.test_it").

    *line*: of the source, where the report says that the thing was opened; 0 for none. Raises
    CannotType.
    """
    advice, tree = Advice(remedy), ast.parse(source)
    where = _function(tree, function)
    statement = _statement(where, line)
    if isinstance(advice.body[0], ast.With):
        _enter(where, statement, advice)
    elif advice.when == "before the change":
        where.body[0:0] = advice.body
    elif advice.when:
        _replace(where, advice)
    else:
        if advice.name:
            statement = _keep(where, statement, advice)
        _after(where, statement or _last_needed(where, advice), advice.body)
    first = 1 if ast.get_docstring(tree) else 0
    while isinstance(tree.body[first], ast.ImportFrom) and tree.body[first].module == "__future__":
        first += 1
    tree.body[first:first] = [ast.parse(each).body[0] for each in advice.imports]
    return ast.unparse(ast.fix_missing_locations(tree))


def _function(tree, name):
    found = tree
    for part in name.split("."):
        found = next(each for each in found.body if getattr(each, "name", "") == part)
    return found


def _lists(node):
    """Yield each list of statements below a node."""
    for each in ast.walk(node):
        for _, value in ast.iter_fields(each):
            if isinstance(value, list) and value and isinstance(value[0], ast.stmt):
                yield value


def _simple(where):
    return [each for body in _lists(where) for each in body if not hasattr(each, "body")]


def _statement(where, line):
    if not line:
        return None
    return next((each for each in _simple(where) if each.lineno <= line <= each.end_lineno), None)


def _after(where, statement, body):
    for statements in _lists(where):
        for index, each in enumerate(statements):
            if each is statement:
                statements[index + 1:index + 1] = body
                return
    where.body += body


def _last_needed(where, advice):
    """Return the last statement that binds a name that the code has: ``self.order``."""
    names = {ast.unparse(each) for part in advice.body for each in ast.walk(part)
             if isinstance(each, (ast.Name, ast.Attribute))}
    bound = [each for each in _simple(where) if isinstance(each, ast.Assign)
             and ast.unparse(each.targets[0]) in names]
    return bound[-1] if bound else None


def _calls(node):
    return [each for each in ast.walk(node) if isinstance(each, ast.Call)]


def _makes(call, noun, name):
    """Tell whether a call may be what makes *noun*, by the words of both."""
    called = ast.unparse(call.func).rpartition(".")[2].lower()
    words = set(noun.lower().split()) | {name.rpartition(".")[2].lower()}
    known = {"connection": ("connect",), "descriptor": ("open", "dup", "memfd_create", "eventfd"),
             "path": ("mkdtemp", "mkstemp"), "sock": ("socket",), "child": ("popen",),
             "process id": ("fork",), "patcher": ("patch", "object"), "file": ("open",)}
    wanted = words | {each for word in (*words, noun) for each in known.get(word, ())}
    return called in wanted or any(len(word) > 4 and word in called for word in words)


def _keep(where, statement, advice):
    """Give what is made the name that the advice gives it; return the statement that made it."""
    for each in [statement] if statement is not None else _simple(where):
        made = [call for call in _calls(each) if _makes(call, advice.noun, advice.name)]
        if advice.noun == "entry":
            made = [part for call in _calls(each) for part in call.args
                    if isinstance(part, ast.Tuple)]
        if made:
            name = ast.parse(advice.name, mode="eval").body
            kept = ast.copy_location(ast.Assign(
                [ast.parse("%s = 0" % advice.name).body[0].targets[0]], made[-1]), each)
            _put(where, each, kept, made[-1], name)
            return each
    raise CannotType("no %s is made" % advice.noun)


def _put(where, statement, before, call, name):
    """Put a statement in front of another one, in which *name* takes the place of *call*."""
    class Replaced(ast.NodeTransformer):
        def visit(self, node):
            return name if node is call else self.generic_visit(node)

    Replaced().visit(statement)
    for statements in _lists(where):
        for index, each in enumerate(statements):
            if each is statement:
                statements.insert(index, before)
                return


def _replace(where, advice):
    """Put the advice in the place of the call that it has inside."""
    inner = {ast.unparse(call) for part in advice.body for call in _calls(part)}
    for statements in _lists(where):
        for index, each in enumerate(statements):
            if isinstance(each, ast.Expr) and ast.unparse(each.value) in inner:
                statements[index:index + 1] = advice.body
                return
    raise CannotType("no call of %s" % inner)


def _enter(where, statement, advice):
    head = advice.body[0]
    target = head.items[0].optional_vars
    if target is None:
        head.body, where.body = where.body, [head]
        return
    made = head.items[0].context_expr
    texts = {ast.unparse(each) for each in [made, *made.args]} if isinstance(
        made, ast.Call) else set()
    for each in [statement] if statement is not None else _simple(where):
        for call in _calls(each):
            if ast.unparse(call) in texts:
                for statements in _lists(where):
                    if each in statements:
                        index = statements.index(each)
                        _put(where, each, ast.Pass(), call, ast.Name(target.id, ast.Load()))
                        statements[index:index + 2] = [head]
                        head.body = [each]
                        return
    raise CannotType("no %s" % texts)
