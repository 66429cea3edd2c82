"""The template renders as recorded, and as transformers renders it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from conftest import ROWS, TEMPLATE

from osler_trainer.errors import BadJob, MissingPrerequisite
from osler_trainer.rows import TrainingRow
from osler_trainer.template import ChatTemplate, read_template

SPECIAL = {"bos_token": "<s>", "eos_token": "</s>"}
PROMPT = (
    "<s>Below is an instruction, followed by a question as its input. Write a response that answers the question completely.\n"
    "Before answering, think about the question step by step, so that the answer rests on sound reasoning.\n\n"
    "### Instruction:\n"
    "You are a medical expert with advanced knowledge of clinical reasoning, diagnostics and treatment planning.\n"
    "Answer the medical question below.\n\n"
    "### Question:\n"
    "{question}\n\n"
    "### Response:\n"
    "<think>\n"
)


def test_training_text_is_prompt_thought_answer_and_eos() -> None:
    row = TrainingRow(**ROWS[1])
    expected = PROMPT.format(question=row.question) + f"{row.thought}\n</think>\n\n{row.answer}</s>"
    assert read_template(TEMPLATE, SPECIAL).training_text(row) == expected


def test_white_space_at_the_edges_of_thought_and_answer_is_not_trained() -> None:
    template = read_template(TEMPLATE, SPECIAL)
    row = TrainingRow(**ROWS[1])
    padded = TrainingRow(id=row.id, question=row.question, thought=f"\n {row.thought}\n", answer=f" {row.answer}\n\n")
    assert template.training_text(padded) == template.training_text(row)


def test_a_template_that_deletes_past_thoughts_still_trains_on_them() -> None:
    text = (
        "{{ bos_token }}{% for m in messages %}{% if m['role'] == 'user' %}Q: {{ m['content'] }}{% else %}"
        "{{ m['content'].split('</think>')[-1] }}{% endif %}{% endfor %}{% if add_generation_prompt %}<think>\n{% endif %}"
    )
    assert ROWS[0]["thought"] in ChatTemplate(text, SPECIAL).training_text(TrainingRow(**ROWS[0]))


def test_a_tokenizer_without_bos_renders_none_of_it() -> None:
    assert ChatTemplate("{{- bos_token -}}x", {"eos_token": "</s>"}).prompt("q") == "x"


@pytest.mark.parametrize("text", ["{% if %}", "{{ raise_exception('no') }}", "{{ ''.__class__.__mro__ }}"])
def test_a_broken_or_unsafe_template_is_a_bad_job(text: str) -> None:
    with pytest.raises(BadJob):
        ChatTemplate(text, SPECIAL).prompt("q")


def test_a_missing_template_names_its_path(tmp_path: Path) -> None:
    with pytest.raises(MissingPrerequisite, match=r"none\.jinja"):
        read_template(tmp_path / "none.jinja", SPECIAL)


@pytest.mark.parametrize(
    "file", [TEMPLATE, Path(__file__).parents[3] / "shared/data/templates/deepseek-ai-DeepSeek-R1-Distill-Llama-8B.jinja"]
)
def test_transformers_renders_the_same(file: Path) -> None:
    if not file.is_file():
        pytest.skip("../shared/data is absent")
    utils: Any = pytest.importorskip("transformers.utils.chat_template_utils", reason="needs requirements-cpu.txt")
    template = read_template(file, SPECIAL)
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Is 3 < 4 & \"5\" > '4'?\n\n  {{ no }}"},
        {"role": "assistant", "content": "<think>\nyes\n</think>\n\nYes."},
        {"role": "user", "content": "Why?"},
    ]
    rendered, _ = utils.render_jinja_template([messages], chat_template=template.text, add_generation_prompt=True, **SPECIAL)
    assert template.render(messages, add_generation_prompt=True) == rendered[0]
