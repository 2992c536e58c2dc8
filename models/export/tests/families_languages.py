"""Small random language models of `transformers`, and tokenizers of their kinds, saved as they are published."""

import json
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers
from torch import nn

LM_WIDTH, HEADS, ROWS = 64, 4, 320
STD = 0.25


def shake(module: nn.Module, seed: int, spread: float = STD) -> nn.Module:
    """Random weights, none special: norms near 1, biases and gates open."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            if name.endswith(("attn_gate", "ff_gate", "alpha_cross_attn", "alpha_dense")):
                parameter.copy_(0.7 + 0.2 * noise)
            elif parameter.ndim == 1:
                parameter.copy_((0.0 if name.endswith("bias") else 1.0) + 0.1 * noise)
            else:
                parameter.copy_(spread * noise)
    return module.eval()


def byte_tokenizer(folder: Path) -> Tokenizer:
    """Byte-level, as GPT-NeoX and OPT have: every byte, two words, an end of text."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    merges = [("y", "e"), ("ye", "s"), ("n", "o"), ("\u0120", "yes"), ("\u0120", "no")]
    words = [*letters, *("".join(pair) for pair in merges)]
    tokenizer = Tokenizer(models.BPE({word: i for i, word in enumerate(words)}, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(["<|endoftext|>"])
    return save(folder, tokenizer, eos_token="<|endoftext|>", unk_token="<|endoftext|>")


def word_tokenizer(folder: Path, *more: str) -> Tokenizer:
    """SentencePiece's kind, as LLaMA has: a space before the first word by itself, bytes for what is unknown."""
    words = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), "\u2581", "n", "o", "no", "\u2581no"]
    merges = [("n", "o"), ("\u2581", "no")]
    ids = {word: i for i, word in enumerate(words)}
    tokenizer = Tokenizer(models.BPE(ids, merges, unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")])
    tokenizer.decoder = decoders.Sequence([decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse()])
    tokenizer.add_special_tokens(["<unk>", "<s>", "</s>", *more])
    return save(folder, tokenizer, bos_token="<s>", eos_token="</s>", unk_token="<unk>")


def save(folder: Path, tokenizer: Tokenizer, **special: str) -> Tokenizer:
    """As `transformers` saves it."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps(special))
    return tokenizer


def language(arch: str, layers: int):
    """A language model of `transformers`."""
    import transformers as t

    shared = dict(vocab_size=ROWS, hidden_size=LM_WIDTH, num_hidden_layers=layers, num_attention_heads=HEADS)
    if arch == "gpt_neox":
        config = t.GPTNeoXConfig(
            **shared, intermediate_size=128, use_parallel_residual=False, rotary_pct=1.0, max_position_embeddings=512,
            tie_word_embeddings=False,
        )  # fmt: skip
        return shake(t.GPTNeoXForCausalLM(config), 1)
    if arch == "gpt_neox_parallel":
        config = t.GPTNeoXConfig(**shared, intermediate_size=128, rotary_pct=0.25, max_position_embeddings=512)
        return shake(t.GPTNeoXForCausalLM(config), 2)
    if arch == "opt":
        config = t.OPTConfig(
            **shared, ffn_dim=128, max_position_embeddings=512, word_embed_proj_dim=LM_WIDTH, pad_token_id=1
        )
        return shake(t.OPTForCausalLM(config), 3)
    if arch == "llama":
        config = t.LlamaConfig(
            **shared, intermediate_size=128, num_key_value_heads=HEADS, max_position_embeddings=512,
            tie_word_embeddings=False,
        )  # fmt: skip
        return shake(t.LlamaForCausalLM(config), 4)
    config = t.MptConfig(d_model=LM_WIDTH, n_heads=HEADS, n_layers=layers, vocab_size=ROWS, max_seq_len=512)
    model = t.MptForCausalLM(config)
    if arch == "mpt_norms":  # MPT-1B's norms of queries and keys, which the class of transformers leaves out
        for block in model.transformer.blocks:
            block.attn = NormedAttention(block.attn)
    return shake(model, 5)


class NormedAttention(nn.Module):
    """MPT-1B's attention: LayerNorm of the whole query and key before the heads are split (`mpt_redpajama`)."""

    def __init__(self, attention: nn.Module):
        super().__init__()
        self.inner, width = attention, LM_WIDTH
        self.q_ln, self.k_ln = nn.LayerNorm(width, bias=False), nn.LayerNorm(width, bias=False)
        attention.Wqkv.register_forward_hook(self.norm)

    def norm(self, _, __, mixed):
        query, key, value = mixed.chunk(3, -1)
        return torch.cat([self.q_ln(query), self.k_ln(key), value], -1)

    def forward(self, *arguments, **named):
        return self.inner(*arguments, **named)


def save_language(model: nn.Module, folder: Path, layers: int) -> None:
    """A language model's folder; MPT-1B's under its own names."""
    model.save_pretrained(folder)
    if not any("q_ln" in name for name, _ in model.named_parameters()):
        return
    renamed = {
        "norm_1": "ln_1", "norm_2": "ln_2", "norm_f": "ln_f", "ffn.up_proj": "mlp.mlp_up",
        "ffn.down_proj": "mlp.mlp_down", "attn.inner": "attn",
    }  # fmt: skip
    state = {}
    for name, value in model.state_dict().items():
        if name == "lm_head.weight":
            continue
        for theirs, ours in renamed.items():
            name = name.replace(theirs, ours)
        state[name] = value.clone()
    (folder / "model.safetensors").unlink()
    torch.save(state, folder / "pytorch_model.bin")
    config = {
        "model_type": "mosaic_gpt", "d_model": LM_WIDTH, "n_heads": HEADS, "n_layers": layers, "vocab_size": ROWS,
        "max_seq_len": 512, "mlp_ratio": 4, "alibi": True, "alibi_bias_max": 8, "attn_qk_ln": True, "no_bias": True,
        "attn_clip_qkv": None, "softmax_scale": None, "prefix_lm": False, "logit_scale": None,
    }  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config))
