"""What the commands of the registry have in common: their help, their words, their errors."""

from __future__ import annotations

import re
import shutil
import textwrap
from argparse import RawDescriptionHelpFormatter
from typing import Any, ClassVar

from django.core.management.base import BaseCommand, CommandError, CommandParser, DjangoHelpFormatter
from django.db import Error as AnyDatabaseError

#: What Python makes of bytes on the command line that are not UTF-8.
_SURROGATE = re.compile("[\ud800-\udfff]")
EXIT_CODES = "Exit code: 0 done, 1 not done (the last line says why), 2 the command line is wrong."


class _HelpFormatter(DjangoHelpFormatter, RawDescriptionHelpFormatter):
    """Leaves the lines of examples as they are."""


class RegistryCommand(BaseCommand):
    """A command that reads or changes rows; running servers follow by themselves.

    What was asked for goes to stdout at every verbosity; what was done, at verbosity 1 and more; notes and
    complaints go to stderr.
    """

    #: Lines for the end of the help, without ``manage.py``.
    examples: ClassVar[tuple[str, ...]] = ()
    _verbosity = 1

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        """The parser, with examples and exit codes below its help."""
        lines = ["Examples:", *(f"  manage.py {line}" for line in self.examples), "", EXIT_CODES]
        options: dict[str, Any] = {"formatter_class": _HelpFormatter, "epilog": "\n".join(lines), **kwargs}
        parser = super().create_parser(prog_name, subcommand, **options)
        width = min(shutil.get_terminal_size().columns, 110) - 2
        parser.description = textwrap.fill(self.help, width)
        return parser

    def execute(self, *args: Any, **options: Any) -> str | None:
        """Run; an error of the database, such as a missing table, becomes a sentence, as does a text that is none."""
        self._verbosity = options["verbosity"]
        try:
            return super().execute(*args, **options)
        except AnyDatabaseError as error:
            raise CommandError(
                f"The database does not answer: {error}. Is `manage.py migrate` done?"
            ) from error
        except UnicodeEncodeError as error:
            if not _SURROGATE.search(error.object):
                raise
            raise CommandError("A name or text on the command line is not UTF-8.") from error

    def say(self, text: str) -> None:
        """Tell what was done."""
        if self._verbosity >= 1:
            self.stdout.write(text)

    def note(self, text: str) -> None:
        """Tell something that people should know and scripts need not read."""
        if self._verbosity >= 1:
            self.stderr.write(text, self.style.WARNING)
