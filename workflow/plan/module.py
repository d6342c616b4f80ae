"""Reading an experiment module without importing it: the host may lack what it imports."""

import ast
import inspect
from pathlib import Path

from plan.interface import check_calls, check_parts


def read_interface(path: str | Path, data: dict | None = None) -> tuple[list, list]:
    """Return slots and procedures of an experiment module; `data` are make_data's arguments.

    Raises ValueError, in one line, when the file is not Python, lacks a part of the interface,
    or has a function that cannot be called as it will be.
    """
    try:
        tree = ast.parse(Path(path).read_text(encoding="utf-8"))
    except SyntaxError as error:
        raise ValueError(f"{path}: line {error.lineno}: {error.msg}") from None
    values = {
        target.id: node.value
        for node in tree.body if isinstance(node, ast.Assign)
        for target in node.targets if isinstance(target, ast.Name)
    }  # fmt: skip
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    check_parts(path, {**values, **functions, **dict.fromkeys(imported_names(tree))})
    try:
        slots = [*ast.literal_eval(values["SLOTS"])]
        written = values["PROCEDURES"]
        if not isinstance(written, ast.Dict):
            raise ValueError
        procedures = {
            ast.literal_eval(key): value
            for key, value in zip(written.keys, written.values, strict=True)
            if key is not None
        }
    except (ValueError, AttributeError, KeyError):
        raise ValueError(
            f"{path}: expected SLOTS to be a tuple of names, PROCEDURES a dictionary from name "
            "to function, both written out"
        ) from None
    called = {"build_model": functions.get("build_model")}
    if data is not None:
        called["make_data"] = functions.get("make_data")
    for name, value in procedures.items():
        called[name] = functions.get(value.id) if isinstance(value, ast.Name) else None
    check_calls(path, {name: signature_of(node) for name, node in called.items()}, data)
    return slots, [*procedures]


def imported_names(tree: ast.Module) -> list[str]:
    """Return the names that a module imports."""
    imports = (node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom))
    return [alias.asname or alias.name for node in imports for alias in node.names]


def signature_of(function: ast.FunctionDef | None) -> inspect.Signature | None:
    """Return the signature of a function's syntax tree, None where it cannot be known from it."""
    if function is None or function.decorator_list:
        return None
    arguments = function.args
    for node in ast.walk(arguments):
        if isinstance(node, ast.arg):
            node.annotation = None
    arguments.defaults = [ast.Constant(None) for _ in arguments.defaults]
    arguments.kw_defaults = [default and ast.Constant(None) for default in arguments.kw_defaults]
    stub = ast.fix_missing_locations(ast.Expression(ast.Lambda(arguments, ast.Constant(None))))
    return inspect.signature(eval(compile(stub, function.name, "eval")))
