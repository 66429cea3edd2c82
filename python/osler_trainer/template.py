"""Chat templates, rendered as transformers renders them, without transformers.

Same Jinja environment as `transformers.utils.chat_template_utils` 5.17: sandboxed, trim_blocks, lstrip_blocks, loop
controls, the `tojson`, `raise_exception` and `strftime_now` helpers. (`{% generation %}` blocks are not known here.)
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from .errors import BadJob, MissingPrerequisite
from .rows import TrainingRow

THINK_CLOSE = "\n</think>\n\n"
"""What stands between thought and answer in every training text."""


@dataclass(frozen=True)
class ChatTemplate:
    """A Jinja chat template with the special tokens that it names."""

    text: str
    special_tokens: Mapping[str, str]
    """`bos_token`, `eos_token` and so on to their text; a token that the tokenizer lacks is absent, never None."""

    @property
    def sha256(self) -> str:
        """Hash of the template's text."""
        return hashlib.sha256(self.text.encode("utf-8")).hexdigest()

    def render(self, messages: list[dict[str, str]], *, add_generation_prompt: bool) -> str:
        """The prompt as text, BOS included where the template writes it. Raises BadJob where it does not compile or run."""
        import jinja2

        try:
            compiled = _environment().from_string(self.text)
            return str(
                compiled.render(
                    messages=messages, tools=None, documents=None, add_generation_prompt=add_generation_prompt, **self.special_tokens
                )
            )
        except jinja2.TemplateError as error:
            raise BadJob(
                f"the chat template does not render: {error}", "mend the template file, or use the template medical-cot"
            ) from error

    def prompt(self, question: str) -> str:
        """What the model reads before its first own token; ends with the opened thought."""
        return self.render([{"role": "user", "content": question}], add_generation_prompt=True)

    def training_text(self, row: TrainingRow) -> str:
        r"""Prompt + thought + `\n</think>\n\n` + answer + EOS.

        Built here and not by rendering an assistant turn: R1-style templates delete the thoughts of past turns.
        White space at the edges of thought and answer is dropped, so that the token border behind the prompt is the
        same in training as in use.
        """
        return self.prompt(row.question) + row.thought.strip() + THINK_CLOSE + row.answer.strip() + self.special_tokens["eos_token"]


def read_template(file: Path, special_tokens: Mapping[str, str]) -> ChatTemplate:
    """The template in `file`, with the file's own line ends. Raises MissingPrerequisite."""
    try:
        text = file.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise MissingPrerequisite(
            f'the template file "{file}" cannot be read: {error}', "give the path of a Jinja chat template"
        ) from error
    return ChatTemplate(text, special_tokens)


def _environment() -> Any:
    import jinja2
    import jinja2.ext
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    def raise_exception(message: str) -> None:
        raise jinja2.TemplateError(message)

    def tojson(value: Any, ensure_ascii: bool = False, indent: int | None = None, separators: Any = None, sort_keys: bool = False) -> str:
        return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)

    def strftime_now(pattern: str) -> str:
        return datetime.now().strftime(pattern)

    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[jinja2.ext.loopcontrols])
    environment.filters["tojson"] = tojson
    environment.globals["raise_exception"] = raise_exception
    environment.globals["strftime_now"] = strftime_now
    return environment
