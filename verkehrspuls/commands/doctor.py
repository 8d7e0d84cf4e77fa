"""Check each part, and suggest what to do about problems."""

from verkehrspuls.cli.options import Json


def command(as_json: Json = False) -> None:
    """Check each part, and suggest what to do about problems.

    Works whether `up` runs or not. Exits with 4 if a problem was found.
    """
    from dataclasses import asdict

    from verkehrspuls.cli import output
    from verkehrspuls.errors import FoundProblems
    from verkehrspuls.settings import load
    from verkehrspuls.stack.checks import PROBLEM, examine

    findings = examine(load())
    if as_json:
        output.show_json(list(map(asdict, findings)))
    else:
        width = max(len(one.part) for one in findings)
        for one in findings:
            output.print_result(f"{one.part:{width}}  {one.state:7}  {one.detail}")
            if one.advice:
                output.print_result(f"{'':{width}}           {one.advice}")
    if problems := sum(one.state == PROBLEM for one in findings):
        raise FoundProblems(count=problems)
