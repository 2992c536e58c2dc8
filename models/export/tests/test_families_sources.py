"""What does not fit is refused with every reason; downloads are pinned and resumed; one command does it all."""

import json
import os
import subprocess
import sys
from pathlib import Path

import families_languages
import families_oracles as oracles
import numpy as np
import pytest
import torch
from families_hub import COMMIT, Hub
from safetensors.torch import load_file, save_file

from wader_export import __main__ as program
from wader_export.families import checkpoint, hub, open_flamingo
from wader_export.families.checkpoint import CheckpointError
from wader_export.families.family import Options
from wader_export.families.sources import WEIGHTS
from wader_export.graphs.goldens import stored

LANGUAGE = "togethercomputer/RedPajama-INCITE-Base-3B-v1"
NAME = "openflamingo/OpenFlamingo-4B-vitl-rpj3b"
PROGRAM = Path(program.__file__).parents[1]


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("published")
    count = families_languages.byte_tokenizer(folder / "language").get_vocab_size()
    oracle = oracles.Oracle("gpt_neox", 2, 1, count + 3, count + 1, count)
    return oracle.save(folder)


def convert(saved, **changed):
    places = saved | changed
    options = Options(language=str(places["language"]), vision=str(places["vision"]), fetch=hub.fetch)
    return open_flamingo.convert(hub.fetch(str(places["flamingo"])), options)


def changed(saved, tmp_path, change) -> dict:
    """The Flamingo's own part, changed."""
    state = torch.load(f"{saved['flamingo']}/checkpoint.pt", weights_only=True)["model_state_dict"]
    change(state)
    torch.save(state, tmp_path / "checkpoint.pt")
    return saved | {"flamingo": tmp_path}


def test_everything_that_is_missing_or_too_much_is_listed_at_once(saved, tmp_path):
    def change(state):
        del state["module.perceiver.latents"]
        del state["module.lang_encoder.gpt_neox.layers.1.gated_cross_attn_layer.ff_gate"]
        state["module.perceiver.layers.3.0.to_q.weight"] = torch.zeros(2, 2)
        state["module.perceiver.media_time_embs"] = torch.zeros(2, 1, 64)
        state["module.lang_encoder.gpt_neox.layers.0.decoder_layer.mlp.dense_h_to_4h.weight"] = torch.zeros(2, 2)

    with pytest.raises(CheckpointError) as told:
        convert(changed(saved, tmp_path, change))
    text = str(told.value)
    for part in (
        "5 places", "`perceiver.latents` is missing", "ff_gate` is missing", "to_q.weight` has shape [2, 2]",
        "`perceiver.media_time_embs` is unexpected", "decoder_layer.mlp.dense_h_to_4h.weight` is unexpected",
    ):  # fmt: skip
        assert part in text


def test_a_missing_embedding_is_an_error_and_not_the_language_models(saved, tmp_path):
    key = "module.lang_encoder.gpt_neox.embed_in.weight"
    with pytest.raises(CheckpointError, match="embed_in.weight` is missing"):
        convert(changed(saved, tmp_path, lambda state: state.pop(key)))


def test_gated_layers_must_stand_before_every_nth_block(saved, tmp_path):
    def change(state):
        for name in [name for name in state if ".layers.0.gated" in name]:
            state[name.replace(".layers.0.", ".layers.7.")] = state.pop(name)

    with pytest.raises(CheckpointError, match="before blocks .1, 7."):
        convert(changed(saved, tmp_path, change))


def test_another_tokenizer_would_give_other_ids_and_is_refused(saved, tmp_path):
    def change(state):
        key = "module.lang_encoder.gpt_neox.embed_in.weight"
        state[key] = state[key][:-1].clone()
        state["module.lang_encoder.embed_out.weight"] = state["module.lang_encoder.embed_out.weight"][:-1].clone()

    with pytest.raises(CheckpointError, match="265 tokens with those added, and the checkpoint's embedding 264 rows"):
        convert(changed(saved, tmp_path, change))


def test_a_language_model_that_the_blocks_cannot_be_is_refused(saved, tmp_path):
    for file in os.listdir(saved["language"]):
        (tmp_path / file).write_bytes(open(f"{saved['language']}/{file}", "rb").read())
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"hidden_act": "gelu_of_tomorrow"}))
    with pytest.raises(ValueError, match="gelu_of_tomorrow"):
        convert(saved, language=tmp_path)
    (tmp_path / "config.json").write_text(json.dumps(config | {"rope_parameters": {"rope_type": "yarn"}}))
    with pytest.raises(CheckpointError, match="yarn"):
        convert(saved, language=tmp_path)


def test_shards_and_both_kinds_of_files_hold_the_same_tensors(saved, tmp_path):
    whole = load_file(f"{saved['language']}/model.safetensors")
    names = sorted(whole)
    shards = {"a": names[: len(names) // 2], "b": names[len(names) // 2 :]}
    for kind, write in (("safetensors", save_file), ("bin", torch.save)):
        folder = tmp_path / kind
        folder.mkdir()
        stem = "model" if kind == "safetensors" else "pytorch_model"
        for shard, inside in shards.items():
            write({name: whole[name].clone() for name in inside}, folder / f"{shard}.{kind}")
        where = {name: f"{shard}.{kind}" for shard, inside in shards.items() for name in inside}
        (folder / f"{stem}.{kind}.index.json").write_text(json.dumps({"weight_map": where}))
        opened = checkpoint.open_folder("language model", folder)
        assert opened.names == set(names)
        for name in names:
            assert opened.shape(name) == tuple(whole[name].shape)
            assert torch.equal(opened.read(name), whole[name])
            assert torch.equal(opened.read(name, slice(1, 3)), whole[name][1:3])
        (folder / f"b.{kind}").unlink()
        with pytest.raises(CheckpointError, match=f"not there: b.{kind}"):
            checkpoint.open_folder("language model", folder)


@pytest.fixture
def server(saved, tmp_path):
    """The three as a hub has them, and a large one."""
    big = tmp_path / "big"
    big.mkdir()
    (big / "config.json").write_text('{"model_type": "bert"}')
    (big / "model.safetensors").write_bytes(np.random.default_rng(0).bytes(12_000_000))
    folders = {NAME: saved["flamingo"], LANGUAGE: saved["language"], open_flamingo.CLIP: saved["vision"]}
    folders = {name: Path(folder) for name, folder in folders.items()} | {"owner/big": big, "owner/gated": big}
    server = Hub(folders, gated=("owner/gated",))
    yield server
    server.shutdown()


@pytest.fixture
def served(server, tmp_path, monkeypatch):
    """That hub, in this process."""
    for module in ("constants", "hf_api", "file_download", "utils._http"):  # its endpoint is read at its import
        monkeypatch.setattr(f"huggingface_hub.{module}.ENDPOINT", server.url, raising=False)
    monkeypatch.setattr("huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", server.url + TEMPLATE)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "home"))
    return server


TEMPLATE = "/{repo_id}/resolve/{revision}/{filename}"


def refused(monkeypatch, *arguments: str) -> str:
    """What `convert` says instead of converting."""
    monkeypatch.setattr("sys.argv", ["wader_export", "convert", *arguments])
    with pytest.raises(SystemExit) as told:
        program.main()
    return str(told.value)


def test_an_unknown_checkpoint_is_refused_for_its_configuration_alone(served, monkeypatch):
    assert "owner/big is of no known family" in refused(monkeypatch, "owner/big")
    assert served.files == {"config.json"}


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ({"model_type": "idefics", "use_resampler": False}, "use_resampler"),
        ({"model_type": "mllama", "text_config": {"rope_scaling": {"rope_type": "yarn"}}}, "yarn"),
        ({"model_type": "moss_vl"}, "vision_config is missing"),
        ({"model_type": "otter", "text_config": {"model_type": "mamba"}}, "`mamba` is not known"),
    ],
)
def test_an_unsupported_one_is_refused_as_early(served, tmp_path, monkeypatch, config, told):
    (tmp_path / "big" / "config.json").write_text(json.dumps(config))
    assert told in refused(monkeypatch, "owner/big")
    assert served.files == {"config.json"}


def test_a_language_model_is_refused_before_the_flamingo_on_it_is_fetched(served, monkeypatch):
    assert "`bert` is not known" in refused(monkeypatch, NAME, "--language", "owner/big")
    assert served.files == {"README.md", "config.json"}


def test_a_broken_download_goes_on_where_it_stopped_and_is_pinned(served, tmp_path):
    served.breaks["model.safetensors"] = 11_000_000
    place = hub.fetch("owner/big")
    place.need(WEIGHTS)
    assert place.revision == COMMIT
    assert [file for file, _ in served.ranges] == ["model.safetensors"]
    got, sent = ((folder / "model.safetensors").read_bytes() for folder in (place.folder, tmp_path / "big"))
    assert got == sent


def test_what_the_hub_refuses_is_told_with_its_remedy(served):
    with pytest.raises(CheckpointError, match="gated: accept its terms .* set HF_TOKEN"):
        hub.fetch("owner/gated")
    with pytest.raises(CheckpointError, match="no model `owner/nothing`"):
        hub.fetch("owner/nothing")
    with pytest.raises(CheckpointError, match="neither a folder nor a name"):
        hub.fetch("nothing")


def test_one_command_from_a_name_to_a_whole_folder(server, tmp_path):
    """As its user gives it: the hub is named by the environment, and a process of its own reads that."""
    target = tmp_path / "model"
    command = [sys.executable, "-m", "wader_export", "convert", NAME, "--target", target, "--precision", "int4"]
    environment = os.environ | {"HF_ENDPOINT": server.url, "HF_HOME": str(tmp_path / "home")}
    done = subprocess.run(command, cwd=PROGRAM, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    manifest = json.loads((target / "manifest.json").read_text())
    assert manifest["name"] == "OpenFlamingo-4B-vitl-rpj3b"
    assert manifest["provenance"]["licence"] == "Apache-2.0 AND MIT"
    assert "licence_limits" not in manifest["provenance"]
    origins = [source["origin"] for source in manifest["provenance"]["sources"]]
    assert f"{LANGUAGE} at {COMMIT}, model.safetensors" in origins
    assert f"{NAME} at {COMMIT}, checkpoint.pt" in origins
    listed = set(manifest["files"]) | {"manifest.json"}
    assert listed == {str(file.relative_to(target)) for file in target.rglob("*") if file.is_file()}
    for name, entry in manifest["files"].items():
        assert checkpoint.sha256(target / name) == entry["sha256"]
    assert manifest["minimum_runtime"] == "1.28"
    assert "MatMulNBits" in (target / "decoder.onnx").read_bytes().decode("latin1")
    assert all(f"{graph}: " in done.stdout for graph in ("vision_encoder", "resampler", "decoder"))
    cases = json.loads((target / "golden" / "golden.json").read_text())["cases"]
    assert [case["graph"] for case in cases] == ["vision_encoder", "resampler", *["decoder"] * 3]
    data = (target / "golden" / "golden.bin").read_bytes()
    open_, shut = (stored(data, case["outputs"]["logits"]) for case in cases[2:4])
    assert np.abs(open_ - shut).max() > 0.1  # the picture has an effect
