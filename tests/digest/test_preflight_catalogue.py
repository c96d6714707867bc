"""Every check by name: each code that can be found is in the catalogue, and was seen to be found and not to be."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from digest import preflight
from digest.preflight import CATALOGUE, CHECKS, Sheet
from digest.preflight.catalogue import CHECKS as BY_CODE
from tests.digest import (
    test_preflight,
    test_preflight_looks,
    test_preflight_own,
    test_preflight_variants,
    test_preflight_world,
)

MODULES = (test_preflight, test_preflight_variants, test_preflight_looks, test_preflight_world, test_preflight_own)
CASES = {name: case for module in MODULES for name, case in module.CASES.items()}
PREFLIGHT = Path(preflight.__file__).parent


def codes_in_the_code() -> set[str]:
    """Every code that a `Problem(…)` in the checks is made with."""
    return {code for path in PREFLIGHT.glob("*.py") for code in _codes(ast.parse(path.read_text()))}


def _codes(tree: ast.Module) -> Iterator[str]:
    constants = [node for node in ast.walk(tree) if isinstance(node, ast.Constant)]
    words = {node.value for node in constants if isinstance(node.value, str)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Problem":
            code = node.args[1]
            if isinstance(code, ast.Constant):
                yield str(code.value)
            else:  # handed to a helper, or looked up: one of the words of that module
                yield from words & CHECKS.keys()


def test_the_catalogue_names_what_can_be_found_and_nothing_else() -> None:
    assert codes_in_the_code() == set(BY_CODE)


def test_there_are_more_checks_than_the_25_that_were_asked_for() -> None:
    assert len(CHECKS) == sum(len(checks) for checks in CATALOGUE.values()) >= 60
    assert len({check.name for check in CHECKS.values()}) == len(CHECKS)


@pytest.mark.parametrize("code", sorted(CHECKS))
def test_each_check_was_seen_to_find_and_not_to_find(code: str) -> None:
    """A failing sheet and a passing one for each code."""
    failing: defaultdict[str, list[Callable[[], Sheet]]] = defaultdict(list)
    passing: defaultdict[str, list[Callable[[], Sheet]]] = defaultdict(list)
    for case in CASES.values():
        failing[case.code].append(case.flawed)
        passing[case.code].append(case.near)

    assert failing[code], f"no case is flawed by {code}"
    assert any(code in {problem.code for problem in preflight.check(of())} for of in failing[code])
    assert all(code not in {problem.code for problem in preflight.check(of())} for of in passing[code])


def test_what_would_break_a_promise_or_the_law_is_final() -> None:
    assert {code for code, check in CHECKS.items() if check.final} == {
        "no-entries",
        "withdrawn",
        "elsewhere",
        "own-page",
        "unsafe-link",
        "text-missing",
        "personal-field-missing",
        "foreign-tag",
        "request",
        "quotation-not-theirs",
        "quotation-not-verbatim",
        "quotation-score",
        "no-postal-address",
        "address-not-shown",
        "site-address",
    }
