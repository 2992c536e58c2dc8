"""Each silent trap of these checkpoints, sprung on purpose: what would go wrong, must be seen to go wrong."""

import json

import families_languages
import families_oracles as oracles
import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from wader_export.families import flamingo, graphs, hub, int4, open_flamingo, otter, random_model, store
from wader_export.families import language as languages
from wader_export.families import tokenizer as tokens
from wader_export.families.checkpoint import CheckpointError
from wader_export.families.family import Options
from wader_export.families.language import mpt
from wader_export.families.nn.decoder import Context, every
from wader_export.families.nn.layers import LayerNorm, attend, chosen
from wader_export.families.nn.vision import VisionConfig
from wader_export.families.streamed import streamed

FAR = 1e-2


@pytest.fixture(scope="module")
def tiny():
    return random_model.convert("tiny", random_model.SHAPES["tiny"])


def run(conversion, graph, *inputs, float_type="float32"):
    with streamed(conversion.modules[graph], conversion.weights.under(graph), float_type, frozenset()) as module:
        return module(*inputs)


def decode(conversion, ids, mask=None, owner=None, media=None, gate=1.0):
    """Logits at every position."""
    shapes, ids = conversion.shapes, torch.tensor(ids)
    mask = torch.ones_like(ids) if mask is None else torch.tensor(mask)
    owner = torch.zeros_like(ids) if owner is None else torch.tensor(owner)
    dims = (2, shapes.cross_layers, 2, shapes.cross_kv_heads, shapes.latents, shapes.cross_head_dim)
    media = torch.randn(dims, generator=torch.Generator().manual_seed(1)) if media is None else media
    past = [torch.zeros(len(ids), shapes.kv_heads, 0, shapes.head_dim)] * (2 * shapes.self_layers)
    positions, wanted = (mask.cumsum(1) - 1).clamp(min=0), torch.arange(ids.shape[1]).expand(ids.shape)
    return run(conversion, "decoder", ids, mask, positions, owner, wanted, torch.tensor(gate), media, past)[0]


@pytest.fixture(scope="module")
def tower():
    config = VisionConfig(28, 14, 64, 2, 4, 256, "quick_gelu", class_token=False)
    generator, model = torch.Generator().manual_seed(4), flamingo.VisionEncoder(config)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            norm = name.endswith(("norm.weight", "norm_1.weight", "norm_2.weight"))
            parameter.copy_(1 + 0.1 * noise if norm else 0.2 * noise)
    return model.eval()


@pytest.fixture(scope="module")
def pixels():
    return torch.randint(0, 256, (2, 28, 28, 3), generator=torch.Generator().manual_seed(5), dtype=torch.uint8)


class TestVision:
    """The tokens that open_clip gives today are not those that the weights were trained on."""

    def open_clip(self, tower, act):
        from open_clip.transformer import VisionTransformer

        model = VisionTransformer(28, 14, 64, 2, 4, 4.0, act_layer=act, output_dim=32, output_tokens=True).eval()
        state = model.state_dict()
        state |= {
            "conv1.weight": tower.patch.weight, "class_embedding": tower.class_embedding,
            "positional_embedding": tower.positions, "ln_pre.weight": tower.norm.weight, "ln_pre.bias": tower.norm.bias,
        }  # fmt: skip
        for i, block in enumerate(tower.blocks):
            start = f"transformer.resblocks.{i}."
            three = (block.query, block.key, block.value)
            for kind in ("weight", "bias"):
                state[f"{start}attn.in_proj_{kind}"] = torch.cat([getattr(part, kind) for part in three])
                for ours, theirs in (
                    (block.norm_1, "ln_1"), (block.norm_2, "ln_2"), (block.out, "attn.out_proj"),
                    (block.up, "mlp.c_fc"), (block.down, "mlp.c_proj"),
                ):  # fmt: skip
                    state[f"{start}{theirs}.{kind}"] = getattr(ours, kind)
        state["ln_post.weight"] = torch.linspace(0.5, 1.5, 64)
        model.load_state_dict(state)
        return model

    @torch.no_grad()
    def test_open_clip_gives_tokens_after_its_last_norm_and_ours_are_raw(self, tower, pixels):
        from open_clip.transformer import QuickGELU

        theirs = self.open_clip(tower, QuickGELU)
        ours = tower(pixels)
        seen = theirs(oracles.normalised(pixels))[1]
        assert (theirs.ln_post(ours) - seen).abs().max() < 1e-4
        assert (ours - seen).abs().max() > FAR

    @torch.no_grad()
    def test_gelu_instead_of_quick_gelu_is_another_model(self, tower, pixels):
        theirs = self.open_clip(tower, torch.nn.GELU)
        seen = theirs(oracles.normalised(pixels))[1]
        assert (theirs.ln_post(tower(pixels)) - seen).abs().max() > FAR

    def test_the_class_token_is_no_feature_of_openflamingo(self, tower, pixels):
        assert tower(pixels).shape[1] == tower.config.patches == 4

    def test_clip_without_a_stated_activation_is_openais(self):
        assert flamingo.clip_config({}).activation == "quick_gelu"


class TestMasks:
    """Finite in float16, and relative."""

    def test_a_masked_score_is_finite_in_float16_and_a_row_without_keys_stays_finite(self):
        bias = chosen(torch.zeros(1, 1, 1, 4, dtype=torch.bool))
        assert torch.isfinite(bias.half()).all()
        value = torch.ones(1, 1, 4, 8, dtype=torch.float16)
        assert torch.isfinite(attend(value[:, :, :1], value, value, bias)).all()

    def test_alibi_is_relative_to_the_last_key_and_counts_no_holes(self):
        mask = torch.tensor([[1, 1, 0, 0, 1]])
        bias = Context(mask, torch.tensor([[2]]), 1).linear_bias(torch.tensor([0.5]))
        assert bias[0, 0, 0, [0, 1, 4]].tolist() == [-1.0, -0.5, 0.0]

    @pytest.mark.parametrize("heads", (4, 6, 8, 12, 16))
    def test_slopes_are_those_of_mpt(self, heads):
        from transformers.models.mpt.modeling_mpt import build_mpt_alibi_tensor

        slopes = mpt.AlibiDecoder.slopes(type("Heads", (), {"heads": heads, "largest": 8.0}))
        wanted = -build_mpt_alibi_tensor(heads, 2)[:, 0, 0]
        assert torch.allclose(torch.tensor(slopes), wanted)


class TestText:
    """Who sees what."""

    def test_before_every_nth_block(self):
        assert every(8, 4) == [3, 7]
        assert every(4, 1) == [0, 1, 2, 3]

    def test_a_token_before_the_first_picture_passes_the_gated_feed_forward_only(self, tiny):
        ids, owner = [[5, 6, 7]], [[-1, -1, -1]]
        one, shapes = decode(tiny, ids, owner=owner), tiny.shapes
        dims = (1, shapes.cross_layers, 2, shapes.cross_kv_heads, shapes.latents, shapes.cross_head_dim)
        assert torch.equal(one, decode(tiny, ids, owner=owner, media=torch.full(dims, 9.0)))
        assert (one - decode(tiny, ids, owner=owner, gate=0.0)).abs().max() > FAR

    def test_a_padded_row_is_harmless(self, tiny):
        alone = decode(tiny, [[5, 6, 7]])
        both = decode(tiny, [[5, 6, 7], [9, 9, 9]], mask=[[1, 1, 1], [0, 0, 0]])
        assert (both[0] - alone[0]).abs().max() < 1e-4
        assert torch.isfinite(both).all()

    def test_parallel_residuals_and_partial_rotation(self):
        theirs = families_languages.language("gpt_neox_parallel", 2)
        language = languages.find(theirs.config.to_dict())
        assert language.options["rotary"] == 4
        block = language.block()
        source = theirs.state_dict()
        table = {ours.removeprefix("blocks.{i}."): name for ours, name in language.names.items() if "{i}" in ours}
        for name, parameter in block.named_parameters():
            part, _, kind = name.rpartition(".")
            parameter.data.copy_(source[f"{table[part].replace('{i}', '0')}.{kind}"])
        x, positions = torch.randn(1, 5, families_languages.LM_WIDTH), torch.arange(5)[None]
        context = Context(torch.ones(1, 5, dtype=torch.int64), positions, 5)
        from wader_export.families.nn.layers import rotation

        context.rotation = rotation(positions, 4, 10000.0)
        none = torch.zeros(1, families_languages.HEADS, 0, 16)
        causal = torch.full((5, 5), -1e9).triu(1)[None, None]
        wanted = theirs.gpt_neox.layers[0](x, causal, position_embeddings=theirs.gpt_neox.rotary_emb(x, positions))
        assert (block(x, context, none, none)[0] - wanted).abs().max() < 1e-4


class TestWeights:
    """What is left out or rounded is known."""

    def test_mpt_1b_without_its_norms_of_queries_and_keys_is_refused(self, tmp_path):
        count = families_languages.byte_tokenizer(tmp_path / "language").get_vocab_size()
        places = oracles.Oracle("mpt_norms", 2, 1, count + 3, count + 1, count).save(tmp_path)
        config = tmp_path / "language" / "config.json"
        config.write_text(json.dumps(json.loads(config.read_text()) | {"attn_qk_ln": False}))
        options = Options(language=places["language"], vision=places["vision"], fetch=hub.fetch)
        with pytest.raises(CheckpointError, match="attn.q_ln.weight` is unexpected"):
            open_flamingo.convert(hub.fetch(places["flamingo"]), options)

    def test_rows_that_no_token_has_can_not_be_written(self, tmp_path):
        tokenizer = families_languages.byte_tokenizer(tmp_path)
        count = tokenizer.get_vocab_size()
        assert tokens.writable(tokenizer, count + 7, count + 7) == count  # filled up: MOSS-VL, Otter on MPT
        assert tokens.writable(tokenizer, count - 1, count + 7) == count - 1  # read and never written: Llama's picture
        with pytest.raises(CheckpointError, match=f"ids up to {count - 1}, and the checkpoint's embedding {count - 1}"):
            tokens.writable(tokenizer, count, count - 1)

    def test_four_bits_multiply_as_they_are_rounded(self):
        weight = np.random.default_rng(1).standard_normal((48, 64)).astype(np.float32)
        levels, scales = int4.quantise(weight)
        rounded = int4.rounded(weight)
        assert levels.max() <= 15
        assert np.abs(rounded - weight).max() <= np.abs(scales).max() + 1e-6  # half a step; a whole one at the far end
        largest = np.abs(weight).reshape(48, 2, 32).argmax(-1)
        picked = np.take_along_axis(rounded.reshape(48, 2, 32), largest[..., None], -1)
        exact = np.take_along_axis(weight.reshape(48, 2, 32), largest[..., None], -1)
        assert np.abs(picked - exact).max() < 2e-3  # the farthest number of a block is kept

    def test_four_bits_lie_beside_the_graph_as_well(self, tiny, tmp_path, monkeypatch):
        monkeypatch.setattr(store, "INLINE", 0)
        path, weights = tmp_path / "decoder.onnx", tiny.weights.under("decoder")
        files = graphs.export(tiny.modules["decoder"], tiny.ports["decoder"], weights, path, "float16", tiny.int4)
        inside = [i for i in onnx.load(path, load_external_data=False).graph.initializer if not i.external_data]
        assert sum(len(i.raw_data) for i in inside) < 10_000
        onnxruntime.InferenceSession(str(files[0]), providers=["CPUExecutionProvider"])

    def test_large_weights_lie_beside_the_graph_and_nothing_else_changes(self, tiny, tmp_path, monkeypatch):
        conversion, ports = tiny, tiny.ports["vision_encoder"]
        weights, module = conversion.weights.under("vision_encoder"), conversion.modules["vision_encoder"]
        pixels = np.random.default_rng(2).integers(0, 256, (2, 28, 28, 3), dtype=np.uint8)
        results = []
        for name, limit in (("inside", store.INLINE), ("beside", 0)):
            monkeypatch.setattr(store, "INLINE", limit)
            files = graphs.export(module, ports, weights, tmp_path / f"{name}.onnx", "float32")
            assert [file.name for file in files[1:]] == ([] if limit else ["beside.onnx.data"])
            session = onnxruntime.InferenceSession(str(files[0]), providers=["CPUExecutionProvider"])
            results.append(session.run(None, {"pixels": pixels})[0])
        assert np.array_equal(*results)
        assert (tmp_path / "beside.onnx").stat().st_size < 100_000
        assert b"python" not in (tmp_path / "beside.onnx").read_bytes()  # nothing of the machine it was made on

    def test_a_weight_that_float16_cannot_hold_is_an_error(self, tiny, tmp_path, monkeypatch):
        monkeypatch.setattr(random_model.Drawn, "read", lambda self: torch.full(self.shape, 7e4))
        with pytest.raises(RuntimeError, match="cannot; use --precision fp32"):
            ports, weights = tiny.ports["vision_encoder"], tiny.weights.under("vision_encoder")
            graphs.export(tiny.modules["vision_encoder"], ports, weights, tmp_path / "big.onnx", "float16")

    def test_norms_are_computed_in_float32(self):
        norm = LayerNorm(8).half()
        assert norm(torch.full((1, 8), 6e4)).dtype == torch.float32
        assert torch.isfinite(norm(torch.linspace(-6e4, 6e4, 8)[None])).all()


class TestPrompts:
    """Parts, encoded one by one, are the text that the model was trained on."""

    def test_of_a_byte_level_vocabulary(self, tmp_path):
        tokenizer = families_languages.byte_tokenizer(tmp_path)
        tokens.add(tokenizer, [open_flamingo.END, open_flamingo.IMAGE])
        prompt = open_flamingo.prompt(tokenizer)
        assert tokens.joins(tokenizer, prompt["question"])
        assert prompt["yes"][0] == " yes"

    def otter(self, tokenizer) -> tuple[dict, str]:
        """Otter's prompt, and a question whose first word has a token of its own after a space."""
        tokens.add(tokenizer, [otter.END, otter.IMAGE, otter.ANSWER])
        return otter.prompt(tokenizer), "no or yes?"

    def test_otter_s_on_llama(self, tmp_path):
        tokenizer = families_languages.word_tokenizer(tmp_path)
        prompt, question = self.otter(tokenizer)
        assert tokens.joins(tokenizer, prompt["question"], question)
        assert tokens.joins(tokenizer, prompt["caption"])

    def test_otter_s_on_mpt_where_the_space_before_the_question_is_part_of_its_first_word(self, tmp_path):
        tokenizer = families_languages.byte_tokenizer(tmp_path)
        prompt, question = self.otter(tokenizer)
        assert tokens.joins(tokenizer, prompt["question"], question)
        assert tokens.joins(tokenizer, prompt["caption"])
        apart = tokenizer.encode("User: ", add_special_tokens=False).ids
        whole = tokenizer.encode(f"User: {question}", add_special_tokens=False).ids
        assert whole[: len(apart)] != apart, "encoded by itself, the space would be a token of its own"

    def test_of_a_vocabulary_that_writes_a_space_by_itself(self, tmp_path):
        tokenizer = families_languages.word_tokenizer(tmp_path)
        tokens.add(tokenizer, [open_flamingo.END, open_flamingo.IMAGE])
        prompt = open_flamingo.prompt(tokenizer)
        assert prompt["question"][-1] == {"text": "Short answer:"}
        assert not any(form.startswith(" ") for form in prompt["yes"])
