"""Small random models of the real classes, saved as their publishers save them, with every gate open.

Weights are large: with the usual 0.02 all greedy tokens are the same, and a test that compares them proves little.
"""

import json
from pathlib import Path

import torch
from families_languages import HEADS, LM_WIDTH, language, save_language, shake, word_tokenizer
from torch import nn

SIZE, PATCH, WIDTH = 28, 14, 64
SEEING = 0.12  # spread of the weights of what sees: its wide heads would else only ever pick one key
VISION = dict(
    hidden_size=WIDTH, intermediate_size=128, num_hidden_layers=2, num_attention_heads=4, image_size=SIZE,
    patch_size=PATCH, hidden_act="quick_gelu",
)  # fmt: skip


def card(folder: Path, licence: str) -> None:
    """A model card that states a licence."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "README.md").write_text(f"---\nlicense: {licence}\n---\n# A model\n")


class Eyes(nn.Module):
    """CLIP's tower as OpenFlamingo calls it: raw tokens without the class token are its second result."""

    def __init__(self, tower: nn.Module):
        super().__init__()
        self.__dict__ |= {"visual": self, "tower": tower}  # no parts of it: not in its state

    def forward(self, pixels):
        hidden = self.tower(pixels).last_hidden_state
        return hidden[:, 0], hidden[:, 1:]


def normalised(pixels) -> torch.Tensor:
    """u8 [..., H, W, 3] as CLIP's processor hands it over: [..., 3, H, W]."""
    mean, std = torch.tensor([0.48145466, 0.4578275, 0.40821073]), torch.tensor([0.26862954, 0.26130258, 0.27577711])
    return ((torch.as_tensor(pixels).float() / 255 - mean) / std).movedim(-1, -3)


class Oracle:
    """`open_flamingo.Flamingo`, run as its authors run it."""

    def __init__(self, arch: str, layers: int, every: int, size: int, image: int, end: int, frames: int | None = None):
        from open_flamingo.src.factory import _infer_decoder_layers_attr_name
        from open_flamingo.src.flamingo import Flamingo
        from open_flamingo.src.flamingo_lm import FlamingoLMMixin
        from open_flamingo.src.helpers import PerceiverResampler
        from open_flamingo.src.utils import extend_instance
        from transformers import CLIPConfig, CLIPModel

        class Mixin(FlamingoLMMixin):  # transformers 5 drops a mask of ones, which the original insists on
            def forward(self, input_ids, attention_mask=None, **named):
                return super().forward(input_ids, attention_mask, **named)

        text = dict(hidden_size=32, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2, vocab_size=64)
        self.clip = shake(CLIPModel(CLIPConfig(text_config=text, vision_config=VISION)), 6, SEEING)
        self.tower = self.clip.vision_model
        self.plain, self.lm = language(arch, layers), language(arch, layers)
        extend_instance(self.lm, Mixin)
        self.lm.set_decoder_layers_attr_name(_infer_decoder_layers_attr_name(self.lm))
        self.lm.resize_token_embeddings(size)
        self.model = Flamingo(Eyes(self.tower), self.lm, end, image, WIDTH, every)
        if frames is not None:
            self.model.perceiver = PerceiverResampler(dim=WIDTH, max_num_frames=frames)
        shake(self.model.perceiver, 7, SEEING)
        for layer in self.lm.gated_cross_attn_layers:
            if layer is not None:
                shake(layer, 8, SEEING)
        tied = self.lm.get_output_embeddings().weight is self.lm.get_input_embeddings().weight
        with torch.no_grad():  # the embedding was trained on; a strong one that is tied would only ever repeat a token
            self.lm.get_input_embeddings().weight.mul_(0.4 if tied else 1.25)
        self.model.eval()
        self.image, self.end, self.layers = image, end, layers

    def see(self, clips: list) -> None:
        """Encodes media, each a clip u8 [frames, H, W, 3]; all of one row."""
        seen = []
        for clip in clips:
            raw = self.tower(normalised(clip)).last_hidden_state[:, 1:]
            seen.append(self.model.perceiver(raw[None, None]))
        media = torch.cat(seen, 1)
        for layer in self.lm._get_decoder_layers():
            layer.condition_vis_x(media)

    @torch.no_grad()
    def logits(self, ids: list[int], clips: list) -> torch.Tensor:
        """[length, rows] of one row, nothing cached, nothing padded."""
        self.see(clips)
        row = torch.tensor([ids])
        self.lm._use_cached_vision_x = False
        result = self.lm(input_ids=row, attention_mask=torch.ones_like(row), use_cache=False).logits[0]
        self.lm.clear_conditioned_layers()
        return result

    @torch.no_grad()
    def generate(self, ids: list[int], clips: list, steps: int, beams: int = 1) -> list[int]:
        """New tokens, by the generation of `transformers`."""
        self.see(clips)
        layers = self.lm._get_decoder_layers()
        if beams > 1:
            for layer in layers:
                layer.condition_vis_x(layer.vis_x.repeat_interleave(beams, 0))
        self.lm._use_cached_vision_x = True
        row = torch.tensor([ids])
        out = self.lm.generate(
            input_ids=row, attention_mask=torch.ones_like(row), max_new_tokens=steps, min_new_tokens=steps,
            num_beams=beams, do_sample=False, eos_token_id=None, pad_token_id=0,
        )  # fmt: skip
        self.lm.clear_conditioned_layers()
        self.lm._use_cached_vision_x = False
        return out[0, len(ids) :].tolist()

    def shut(self, shut: bool) -> None:
        """Shuts or opens all gates."""
        for layer in self.lm.gated_cross_attn_layers:
            if layer is not None:
                for name in ("attn_gate", "ff_gate"):
                    gate = getattr(layer, name)
                    if shut:
                        layer.__dict__[f"{name}_open"] = gate.data.clone()
                        gate.data.zero_()
                    else:
                        gate.data.copy_(layer.__dict__.pop(f"{name}_open"))

    def save(self, folder: Path) -> dict[str, str]:
        """Three checkpoints as they are published: Flamingo's own part, the language model, CLIP."""
        self.model.requires_grad_(False)  # as factory.py does
        for part in (self.model.perceiver, self.lm.gated_cross_attn_layers, self.lm.get_input_embeddings()):
            part.requires_grad_(True)
        state = self.model.state_dict()
        for name, parameter in self.model.named_parameters():  # filter_state_dict_to_trainable of train_utils.py
            if "embed" not in name and not parameter.requires_grad:
                del state[name]
        twice = ("lang_encoder.old_decoder_blocks", "lang_encoder.gated_cross_attn_layers", "vision_encoder")
        state = {f"module.{n}": v.clone() for n, v in state.items() if not n.startswith(twice)}
        state = {n: v for n, v in state.items() if ".decoder_layer." not in n}
        if self.lm.config.model_type == "gpt_neox":  # its output was called `embed_out` then, and so was saved along
            state["module.lang_encoder.embed_out.weight"] = self.lm.get_output_embeddings().weight.detach().clone()
        own = folder / "flamingo"
        own.mkdir(parents=True)
        torch.save({"model_state_dict": state}, own / "checkpoint.pt")
        card(own, "mit")
        save_language(self.plain, folder / "language", self.layers)
        card(folder / "language", "apache-2.0")
        self.clip.save_pretrained(folder / "clip")
        card(folder / "clip", "mit")
        return {"flamingo": str(own), "language": str(folder / "language"), "vision": str(folder / "clip")}


class OtterOracle(Oracle):
    """Otter-Video: OpenFlamingo's blocks on LLaMA, with trained frame embeddings (`modeling_otter.py` has the same)."""

    def save(self, folder: Path) -> str:
        """One whole checkpoint under Otter's names, the gated layers under both of theirs."""
        state = {}
        for name, value in self.model.state_dict().items():
            name = name.replace(".ff.", ".feed_forward.")
            if name.startswith("perceiver.layers."):
                _, _, layer, kind, rest = name.split(".", 4)
                name = f"perceiver.layers.{layer}.{'feed_forward.' if kind == '1' else ''}{rest}"
            state[name] = value.clone()
        state |= {f"vision_encoder.vision_model.{n}": v.clone() for n, v in self.tower.state_dict().items()}
        torch.save(state, folder / "pytorch_model.bin")
        config = {
            "model_type": "otter", "cross_attn_every_n_layers": 1, "text_config": self.lm.config.to_dict(),
            "max_num_frames": len(self.model.perceiver.frame_embs), "vision_config": VISION,
        }  # fmt: skip
        (folder / "config.json").write_text(json.dumps(config))
        return str(folder)


def idefics(folder: Path, vector: bool):
    """`transformers`' Idefics, saved as it saves itself; two tokens in the second embedding."""
    import transformers as t

    eyes = dict(
        embed_dim=WIDTH, image_size=SIZE, patch_size=PATCH, num_hidden_layers=2, num_attention_heads=4,
        intermediate_size=128,
    )  # fmt: skip
    sees = dict(
        use_resampler=True, resampler_n_latents=8, resampler_depth=2, resampler_n_heads=4, resampler_head_dim=24,
        qk_layer_norms_perceiver=True,
    )  # fmt: skip
    size = word_tokenizer(folder, "<fake_token_around_image>", "<image>").get_vocab_size()
    config = t.IdeficsConfig(
        vocab_size=size - 2, additional_vocab_size=2, hidden_size=LM_WIDTH, intermediate_size=128, num_hidden_layers=4,
        num_attention_heads=HEADS, cross_layer_interval=2, qk_layer_norms=True, use_resampler=True, vision_config=eyes,
        perceiver_config=sees, alpha_type="vector" if vector else "float", max_position_embeddings=512,
    )  # fmt: skip
    model = shake(t.IdeficsForVisionText2Text(config), 9)
    for part in (model.model.vision_model, model.model.perceiver_resampler):
        shake(part, 10, SEEING)
    model.save_pretrained(folder)
    card(folder, "other")
    return model, size - 1
