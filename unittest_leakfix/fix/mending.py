"""Which lines of a test file change for a remedy, so that the rest of it stays as it is.

The remedy says what is to be called, and by which line it belongs; the file's own syntax tree says
where statements begin and end. What cannot be typed without judgement is left to a person.
"""
from __future__ import annotations

import ast
from typing import Any, List, NamedTuple, Optional

from unittest_leakfix._core.early import bind
from unittest_leakfix.fix.edits import Insert, Replace, Wrap
from unittest_leakfix.leaks.model.remedy import CodeScope, Remedy, When
from unittest_leakfix.leaks.report import remedy_text

__unittest = True
bind(globals())

_REGISTERED = (CodeScope.TEST, CodeScope.CLASS, CodeScope.MODULE, CodeScope.FUNCTION)
_Function = (ast.FunctionDef, ast.AsyncFunctionDef)


class ByHand(Exception):
    """It cannot be typed by machine: says why not."""


class _Place(NamedTuple):
    """A statement in its list of statements."""

    statement: Any
    owner: Any
    siblings: List[Any]

    @property
    def is_alone(self) -> bool:
        """Tell whether nothing else stands in its lines."""
        node = self.statement
        return not any(other is not node and other.lineno <= node.end_lineno
                       and node.lineno <= other.end_lineno for other in self.siblings) and (
            not hasattr(self.owner, "lineno") or self.owner.lineno < node.lineno)


def edits_for(text: str, remedy: Remedy, made_there: bool = True) -> List[object]:
    """Return the edits of the source *text* that carry out *remedy*.

    *made_there*: the line that it belongs to is the one that made the thing, and not a call of the
    application, which did.

    Raises `ByHand` where there are none, with the reason.
    """
    site = remedy.site
    if site is None:
        raise ByHand("the report does not know the line that it belongs to")
    if not (remedy.calls or remedy.manager):
        raise ByHand("")
    if remedy.advice or remedy.scope is CodeScope.XUNIT:
        raise ByHand("")
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError) as error:
        raise ByHand("the file cannot be parsed: %s" % error) from error
    function = _function(tree, site.line)
    if function is None or not _is_called(function, site.function):
        raise ByHand("line %d is not in %s: the file has changed" % (site.line, site.function))
    lines = text.splitlines()
    edits = _edits(lines, function, remedy, made_there)
    if remedy.imports:
        edits.append(Insert(_after_imports(tree), tuple(remedy.imports)))
    return edits


def _edits(lines: List[str], function: Any, remedy: Remedy, made_there: bool) -> List[object]:
    if remedy.enters:
        return _wrapped(lines, function, remedy)
    if remedy.monkeypatch and remedy.scope is CodeScope.FUNCTION:
        raise ByHand("")
    if remedy.scope is CodeScope.FIXTURE:
        return _after_yield(lines, function, remedy)
    if remedy.scope not in _REGISTERED:
        raise ByHand("")
    code = remedy_text.statements(remedy)
    if any("await " in each for each in code):
        raise ByHand("it is to be awaited")
    edits: List[object] = []
    if remedy.scope is CodeScope.FUNCTION:
        edits += _with_parameter(lines, function, "request")
    if remedy.when is When.BEFORE:
        first = _first(function)
        edits.append(Insert(first.lineno, tuple(_indent(lines, first.lineno) + each
                                                for each in code)))
        return edits
    assert remedy.site is not None
    place = _place(function, remedy.site.line)
    if remedy.when is When.INSTEAD:
        return edits + [_instead(lines, function, code)]
    if place is None:   # it is known only in which function
        place = _binding(function, code)
    if not place.is_alone:
        raise ByHand("its line has more than one statement")
    node = place.statement
    end: int = node.end_lineno
    indent = _indent(lines, node.lineno)
    if not remedy.it and remedy_text.needs_name(remedy):
        if not made_there:
            raise ByHand("it is made in the code that the test calls")
        edits.append(_named(lines, node, remedy_text.name_for(remedy), indent, code))
        return edits
    if isinstance(node, (ast.Return, ast.Raise)) or not isinstance(
            node, (ast.Assign, ast.AnnAssign, ast.Expr)):
        raise ByHand("what is opened there has no name in the test")
    following = lines[end:end + len(code)]
    if [each.strip() for each in following] == code:
        raise ByHand("it stands there already")
    edits.append(Insert(end + 1, tuple(indent + each for each in code)))
    return edits


def _function(tree: Any, line: int) -> Any:
    """Return the innermost function that has *line*."""
    found = None
    for node in ast.walk(tree):
        if isinstance(node, _Function):
            first = min([node.lineno, *(each.lineno for each in node.decorator_list)])
            if first <= line <= (node.end_lineno or line) and (
                    found is None or node.lineno >= found.lineno):
                found = node
    return found


def _is_called(function: Any, name: str) -> bool:
    return bool(name.rpartition(".")[2] in (function.name, "<lambda>", ""))


def _lists(node: Any) -> Any:
    for each in ast.walk(node):
        if each is not node and isinstance(each, _Function + (ast.ClassDef, ast.Lambda)):
            continue
        for _, value in ast.iter_fields(each):
            if isinstance(value, list) and value and isinstance(value[0], ast.stmt):
                yield each, value


def _place(function: Any, line: int) -> Optional[_Place]:
    """Return the innermost simple statement of *function* that has *line*."""
    for owner, siblings in _lists(function):
        for each in siblings:
            if not hasattr(each, "body") and each.lineno <= line <= each.end_lineno:
                return _Place(each, owner, siblings)
    return None


def _binding(function: Any, code: List[str]) -> _Place:
    """Return the last statement of *function* that binds a name that *code* has: "self.archive"."""
    names = {_dotted(each) for part in code for each in ast.walk(ast.parse(part))}
    found = [_Place(each, owner, siblings) for owner, siblings in _lists(function)
             for each in siblings if isinstance(each, ast.Assign) and len(each.targets) == 1
             and _dotted(each.targets[0]) in names - {""}]
    if not found:
        raise ByHand("the report does not know the line that it belongs to")
    return max(found, key=lambda place: place.statement.lineno)


def _dotted(node: Any) -> str:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        owner = _dotted(node.value)
        return "%s.%s" % (owner, node.attr) if owner else ""
    return ""


def _first(function: Any) -> Any:
    """Return the first statement after the docstring."""
    body = function.body
    index = 1 if ast.get_docstring(function, False) is not None and len(body) > 1 else 0
    place = _Place(body[index], function, body)
    if not place.is_alone:
        raise ByHand("the function is one line")
    return body[index]


def _indent(lines: List[str], number: int) -> str:
    line = lines[number - 1]
    return line[:len(line) - len(line.lstrip())]


def _named(lines: List[str], node: Any, name: str, indent: str, code: List[str]) -> Replace:
    """Give what the statement *node* makes a name: only where it is one call, or the start of what
    one makes."""
    call = node.value if isinstance(node, ast.Expr) else None
    if not isinstance(call, ast.Call):
        raise ByHand("what is opened there has no name in the test")
    started = ""
    if (isinstance(call.func, ast.Attribute) and call.func.attr == "start"
            and isinstance(call.func.value, ast.Call) and not (call.args or call.keywords)):
        call, started = call.func.value, "start"
    if sum(isinstance(each, ast.Call) for each in ast.walk(call)) > 1:
        raise ByHand("its line has several calls")
    text = _source(lines, call)
    made = (indent + name + " = " + text).split("\n")
    if started:
        made.append("%s%s.start()" % (indent, name))
    return Replace(node.lineno, node.end_lineno,
                   tuple(made) + tuple(indent + each for each in code))


def _source(lines: List[str], node: Any) -> str:
    """Return the text of *node*."""
    part = [line.encode("utf-8") for line in lines[node.lineno - 1:node.end_lineno]]
    part[-1] = part[-1][:node.end_col_offset]
    part[0] = part[0][node.col_offset:]
    return b"\n".join(part).decode("utf-8")


def _instead(lines: List[str], function: Any, code: List[str]) -> Replace:
    """Put *code* in the place of the statement that is one of the calls in it."""
    inner = {ast.unparse(call) if hasattr(ast, "unparse") else ast.dump(call)
             for each in code for call in ast.walk(ast.parse(each)) if isinstance(call, ast.Call)}
    found = []
    for owner, siblings in _lists(function):
        for each in siblings:
            if isinstance(each, ast.Expr) and (
                    ast.unparse(each.value) if hasattr(ast, "unparse")
                    else ast.dump(each.value)) in inner:
                found.append(_Place(each, owner, siblings))
    if len(found) != 1 or not found[0].is_alone:
        raise ByHand("the call is not a statement of its own")
    node = found[0].statement
    indent = _indent(lines, node.lineno)
    return Replace(node.lineno, node.end_lineno, tuple(indent + each for each in code))


def _wrapped(lines: List[str], function: Any, remedy: Remedy) -> List[object]:
    """Put all of the function below a ``with`` statement."""
    if remedy.target:
        raise ByHand("")
    first, last = _first(function), function.body[-1]
    indent = _indent(lines, first.lineno)
    head = indent + remedy_text.with_statement(remedy)
    if any(line.strip() == head.strip() for line in lines[first.lineno - 1:last.end_lineno]):
        raise ByHand("it stands there already")
    fixed = tuple(sorted({
        number for node in ast.walk(function)
        if isinstance(node, (ast.Constant, ast.JoinedStr)) and node.end_lineno
        for number in range(node.lineno + 1, node.end_lineno + 1)}))
    decorated = [each.lineno for each in getattr(first, "decorator_list", ())]
    return [Wrap(min([first.lineno, *decorated]), last.end_lineno, head, fixed)]


def _after_yield(lines: List[str], function: Any, remedy: Remedy) -> List[object]:
    """Call what ends it after the fixture's ``yield``, which takes the place of its ``return``."""
    if remedy.when is not When.AFTER or not remedy.it and remedy_text.needs_name(remedy):
        raise ByHand("")
    # What its tests call it is the function there, unless it gives that name to the value too.
    if remedy.it == function.name and not any(
            isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)
            and each.id == remedy.it for each in ast.walk(function)):
        raise ByHand("what is opened there has no name in the fixture")
    code = remedy_text.statements(remedy)
    yields = [each for each in function.body if _yields(each)]
    last = function.body[-1]
    if not _Place(last, function, function.body).is_alone:
        raise ByHand("the fixture is one line")
    if len(yields) == 1 and not _yields_within(function, yields[0]):
        node = yields[0]
        indent = _indent(lines, node.lineno)
        return [Insert(node.end_lineno + 1, tuple(indent + each for each in code))]
    returns = [each for each in ast.walk(function) if isinstance(each, ast.Return)]
    if yields or _yields_within(function, None) or returns not in ([], [last]):
        raise ByHand("the fixture has more than one end")
    indent = _indent(lines, last.lineno)
    calls = tuple(indent + each for each in code)
    if not returns:
        return [Insert(last.end_lineno + 1, (indent + "yield", *calls))]
    line = lines[last.lineno - 1]
    head = line[:last.col_offset] + "yield" + line[last.col_offset + len("return"):]
    return [Replace(last.lineno, last.end_lineno,
                    (head, *lines[last.lineno:last.end_lineno], *calls))]


def _yields(statement: Any) -> bool:
    return isinstance(getattr(statement, "value", None), (ast.Yield, ast.YieldFrom))


def _yields_within(function: Any, but: Any) -> bool:
    """Tell whether the function yields elsewhere than in the statement *but*."""
    mine = set() if but is None else {id(each) for each in ast.walk(but)}
    return any(isinstance(each, (ast.Yield, ast.YieldFrom)) and id(each) not in mine
               for each in ast.walk(function))


def _with_parameter(lines: List[str], function: Any, name: str) -> List[object]:
    """Return the edit that gives *function* the parameter *name*, if it lacks that."""
    given = function.args
    if any(each.arg == name for each in [*given.args, *given.kwonlyargs]):
        return []
    if given.vararg or given.kwarg or given.kwonlyargs or getattr(given, "posonlyargs", ()):
        raise ByHand("the function has parameters of other kinds")
    if given.args:
        last = max([*given.args, *given.defaults, *(each.annotation for each in given.args
                                                    if each.annotation is not None)],
                   key=lambda each: (each.end_lineno, each.end_col_offset))
        number, column, text = last.end_lineno, last.end_col_offset, ", " + name
    else:
        number = function.lineno
        line = lines[number - 1]
        column = len(line[:line.index("(", function.col_offset) + 1].encode("utf-8"))
        text = name
    line = lines[number - 1].encode("utf-8")
    return [Replace(number, number, ((line[:column] + text.encode("utf-8")
                                      + line[column:]).decode("utf-8"),))]


def _after_imports(tree: Any) -> int:
    """Return the line that follows the last import at the top of the module."""
    number = 1
    for index, node in enumerate(tree.body):
        docstring = index == 0 and isinstance(node, ast.Expr)
        if not docstring and not isinstance(node, (ast.Import, ast.ImportFrom)):
            break
        number = (node.end_lineno or node.lineno) + 1
    return number
