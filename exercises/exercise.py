"""What an exercise is made of."""

import ast
from dataclasses import dataclass, fields
from inspect import cleandoc

from exercises.judges import Judge


@dataclass(frozen=True)
class Exercise:
    '''A question, how an answer to it is judged, and what helps to find one.

    Texts may be indented like the code around them; the common indentation is removed.

    Parameters
    ----------
    number : str
        Notebook and place in it, for example "5.1".
    title : str
        A few words, for the heading.
    question : str
        Markdown.
    start : str
        The code of the cell above the call of ``check``, with one line ``name = ...``.
    solution : str
        The code that takes the place of that line.
    judge : callable
        Takes the answers, and the context by keyword. Returns None, or what is wrong.
    hints : (str, str)
        The second one goes further than the first.
    remark : str
        Markdown that is shown with the solution.
    context : tuple of str
        Names of the notebook that the judge needs.

    Examples
    --------
    >>> two = Exercise("0.9", "One and one", """
    ...     Add one and one.
    ... """, "total = ...", "total = 1 + 1", lambda total: None, ("Count.", "On your fingers."))
    >>> two.question
    'Add one and one.'
    >>> two.names, two.call
    (('total',), 'check("0.9", total)')
    '''

    number: str
    title: str
    question: str
    start: str
    solution: str
    judge: Judge
    hints: tuple[str, str]
    remark: str = ""
    context: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for field in fields(self):
            text = getattr(self, field.name)
            if isinstance(text, str):
                object.__setattr__(self, field.name, cleandoc(text))

    @property
    def names(self) -> tuple[str, ...]:
        """The names that the cell gives to the answers."""
        target = ast.parse(self.start).body[-1].targets[0]
        return tuple(node.id for node in ast.walk(target) if isinstance(node, ast.Name))

    @property
    def call(self) -> str:
        """The line that hands the answers over."""
        context = [f"{name}={name}" for name in self.context]
        return f'check("{self.number}", {", ".join([*self.names, *context])})'
