"""Rows as ids: one BOS, one EOS, a pad token that is neither, cuts that are counted."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from conftest import ROWS, TEMPLATE

from osler_trainer.errors import BadJob, MissingPrerequisite
from osler_trainer.rows import TrainingRow, read_rows
from osler_trainer.template import ChatTemplate
from osler_trainer.tokens import IGNORED, choose_pad, encode_rows, lengths, load_tokenizer, special_tokens, template_for

SHARED_ROWS = Path(__file__).parents[3] / "shared" / "data" / "train" / "medical_o1_198.jsonl"


@pytest.fixture(params=["tiny", "real"])
def tokenizer(request: pytest.FixtureRequest) -> Any:
    base: Path = request.getfixturevalue(f"{request.param}_base")
    return load_tokenizer(str(base))


@pytest.fixture
def rows() -> list[TrainingRow]:
    return [TrainingRow(**row) for row in ROWS]


def test_a_whole_row_has_one_bos_and_one_eos_at_its_ends(tokenizer: Any, rows: list[TrainingRow]) -> None:
    template = template_for(tokenizer, TEMPLATE)
    for row in encode_rows(rows, tokenizer, template, 4096):
        assert not row.is_truncated
        assert row.ids[0] == tokenizer.bos_token_id
        assert row.ids[-1] == tokenizer.eos_token_id
        assert row.ids.count(tokenizer.bos_token_id) == 1
        assert row.ids.count(tokenizer.eos_token_id) == 1
        assert tokenizer.decode(row.ids) == row.text
        assert row.labels == row.ids


def test_the_pad_token_is_an_existing_one_that_is_neither_eos_nor_bos(tokenizer: Any) -> None:
    assert tokenizer.pad_token_id not in {tokenizer.eos_token_id, tokenizer.bos_token_id}
    assert tokenizer.pad_token_id < len(tokenizer)


def test_a_cut_row_is_counted_and_loses_its_eos(tokenizer: Any, rows: list[TrainingRow]) -> None:
    template = template_for(tokenizer, TEMPLATE)
    full = encode_rows(rows, tokenizer, template, 4096)
    longest = max(len(row.ids) for row in full)
    cut = encode_rows(rows, tokenizer, template, longest - 1)
    assert sum(row.is_truncated for row in cut) == 1
    for before, after in zip(full, cut, strict=True):
        assert after.ids == before.ids[: longest - 1]
        assert after.is_truncated == (after.ids[-1] != tokenizer.eos_token_id)
    assert lengths(cut) == lengths(full)


def test_response_loss_ignores_the_prompt_and_nothing_else(tokenizer: Any, rows: list[TrainingRow]) -> None:
    template = template_for(tokenizer, TEMPLATE)
    for row, encoded in zip(rows, encode_rows(rows, tokenizer, template, 4096, loss_on="response"), strict=True):
        trained = [token for token in encoded.labels if token != IGNORED]
        assert encoded.labels[: encoded.prompt_tokens] == [IGNORED] * encoded.prompt_tokens
        assert tokenizer.decode(trained) == f"{row.thought}\n</think>\n\n{row.answer}{tokenizer.eos_token}"
        assert tokenizer.decode(encoded.ids[: encoded.prompt_tokens]) == template.prompt(row.question)


def test_a_row_with_the_text_of_a_special_token_is_refused_by_name(tokenizer: Any, rows: list[TrainingRow]) -> None:
    template = template_for(tokenizer, TEMPLATE)
    for token in (tokenizer.eos_token, tokenizer.bos_token):
        bad = TrainingRow(id="evil", question=f"What is {token}?", thought="t", answer="a")
        with pytest.raises(BadJob, match="evil"):
            encode_rows([*rows, bad], tokenizer, template, 4096)


@pytest.mark.parametrize(
    "text", ["{{ messages[0]['content'] }}<think>\n", "{{ bos_token }}{{ bos_token }}{{ messages[0]['content'] }}<think>\n"]
)
def test_a_template_without_exactly_one_bos_is_refused(tokenizer: Any, rows: list[TrainingRow], text: str) -> None:
    with pytest.raises(BadJob, match="exactly one BOS"):
        encode_rows(rows, tokenizer, ChatTemplate(text, special_tokens(tokenizer)), 4096)


def test_a_tokenizer_with_nothing_to_pad_with_says_what_to_do() -> None:
    class Bare:
        bos_token, eos_token, pad_token, unk_token = "<s>", "</s>", "</s>", None

        def get_vocab(self) -> dict[str, int]:
            return {"<s>": 0, "</s>": 1}

    with pytest.raises(BadJob) as failure:
        choose_pad(Bare())
    assert "pad_token" in failure.value.next_step


def test_all_bad_lines_of_a_rows_file_are_named_at_once(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text("\n".join([json.dumps(ROWS[0]), "{", json.dumps(ROWS[0] | {"answer": ""}), ""]), encoding="utf-8")
    with pytest.raises(BadJob, match=r"2 rows .*line 2.*line 3"):
        read_rows(file)
    file.write_text("", encoding="utf-8")
    with pytest.raises(BadJob, match="no rows"):
        read_rows(file)
    with pytest.raises(MissingPrerequisite):
        read_rows(tmp_path / "absent.jsonl")


def test_smollm2_has_the_special_tokens_of_its_gguf_file(real_base: Path) -> None:
    tokenizer = load_tokenizer(str(real_base))
    assert (tokenizer.bos_token, tokenizer.eos_token, tokenizer.pad_token) == ("<|im_start|>", "<|im_end|>", "<|endoftext|>")


def test_llama_cpp_knows_smollm2s_pre_tokenizer_by_its_hash(real_base: Path) -> None:
    # Text and hash of "smollm" in llama.cpp's conversion/base.py (get_vocab_base_pre), MIT licence.
    text = (
        "\n \n\n \n\n\n \t \t\t \t\n  \n   \n    \n     \n\U0001f680 (normal) \U0001f636\u200d\U0001f32b\ufe0f (multi"
        "ple emojis concatenated) \u2705 \U0001f999\U0001f999 3 33 333 3333 33333 333333 3333333 33333333 3.3 3..3 3."
        "..3 \u1780\u17b6\u1793\u17cb\u178f\u17c2\u1796\u17b7\u179f\u17c1\u179f\u17a2\u17b6\u1785\U0001f601 ?\u6211"
        "\u60f3\u5728apple\u5de5\u4f5c1314151\u5929\uff5e ------======= \u043d\u0435\u0449\u043e \u043d\u0430 \u0411"
        "\u044a\u043b\u0433\u0430\u0440\u0441\u043a\u0438 ''''''```````\"\"\"\"......!!!!!!?????? I've been 'told"
        " he's there, 'RE you sure? 'M not sure I'll make it, 'D you like some tea? We'Ve a'lL"
    )
    ids = load_tokenizer(str(real_base)).encode(text)
    assert sha256(str(ids).encode()).hexdigest() == "855059429035d75a914d1eda9f10a876752e281a054a7a3d421ef0533e5b6249"


def test_real_rows_have_their_inference_prompt_as_prefix(real_base: Path) -> None:
    if not SHARED_ROWS.is_file():
        pytest.skip("../shared/data is absent")
    tokenizer = load_tokenizer(str(real_base))
    template = template_for(tokenizer, TEMPLATE)
    rows = [
        TrainingRow(id=str(index), question=row["Question"], thought=row["Complex_CoT"], answer=row["Response"])
        for index, row in enumerate(map(json.loads, SHARED_ROWS.read_text(encoding="utf-8").splitlines()))
    ]
    for row, encoded in zip(rows, encode_rows(rows, tokenizer, template, 4096), strict=True):
        prompt = tokenizer(template.prompt(row.question), add_special_tokens=False)["input_ids"]
        assert encoded.ids[: len(prompt)] == prompt
        assert encoded.prompt_tokens == len(prompt)
