"""Makes a tiny base, adapter and merged model (`make`), and loads them from a Hub (HF_ENDPOINT) as the model card says (`load`)."""

import json
import sys
from pathlib import Path


def make(base_folder: Path, adapter_folder: Path, merged_folder: Path) -> None:
    """Random weights; the merged ones are base and adapter together."""
    import torch
    from peft import LoraConfig, get_peft_model
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    torch.manual_seed(0)
    words = ["<unk>", "</s>", "Which", "vitamin", "is", "missing", "in", "scurvy"]
    tokenizer = Tokenizer(models.WordLevel({word: index for index, word in enumerate(words)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>", eos_token="</s>")
    fast.chat_template = "{% for message in messages %}{{ message.content }}{% endfor %}{% if add_generation_prompt %} is{% endif %}"
    config = LlamaConfig(
        vocab_size=len(words), hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=1
    )
    model = LlamaForCausalLM(config)
    model.save_pretrained(base_folder)
    model = LlamaForCausalLM.from_pretrained(base_folder)
    tuned = get_peft_model(model, LoraConfig(r=4, target_modules=["q_proj"], init_lora_weights=False))
    tuned.save_pretrained(adapter_folder)
    tuned.merge_and_unload().save_pretrained(merged_folder)
    for folder in (base_folder, adapter_folder, merged_folder):
        fast.save_pretrained(folder)


def load(repo: str, base_repo: str, commit: str) -> None:
    """Print what came of each way to load."""
    import torch
    from huggingface_hub import HfApi, ModelCard
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(repo)
    merged = AutoModelForCausalLM.from_pretrained(repo, dtype="auto")
    base = AutoModelForCausalLM.from_pretrained(base_repo, dtype="auto")
    messages = [{"role": "user", "content": "Which vitamin is missing in scurvy"}]
    inputs = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=True, return_tensors="pt")
    with torch.no_grad():
        of_base = base(**inputs).logits
        of_merged = merged(**inputs).logits
        of_adapter = PeftModel.from_pretrained(base, repo, subfolder="adapter")(**inputs).logits
    card = ModelCard.load(repo)
    # ModelCard.validate() asks huggingface.co whatever the endpoint is; this asks the endpoint.
    HfApi()._validate_yaml(content=str(card))
    pinned = AutoModelForCausalLM.from_pretrained(repo, revision=commit)
    seen = {
        "class": type(merged).__name__,
        "adapters": hasattr(merged, "peft_config"),
        "tuned": not torch.allclose(of_base, of_merged, atol=1e-3),
        "adapterIsMerged": torch.allclose(of_adapter, of_merged, atol=1e-4),
        "pinned": type(pinned).__name__,
        "tokens": inputs["input_ids"][0].tolist(),
        "adapterTokens": AutoTokenizer.from_pretrained(repo, subfolder="adapter")("scurvy")["input_ids"],
        "card": {"license": card.data.license, "base_model": card.data.base_model, "library_name": card.data.library_name},
    }
    print(json.dumps(seen))


if sys.argv[1] == "make":
    make(*map(Path, sys.argv[2:5]))
else:
    load(*sys.argv[2:5])
