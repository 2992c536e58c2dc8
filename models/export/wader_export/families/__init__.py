"""Public checkpoints of the Flamingo family to model folders of contract flamingo-onnx/1.

One module a family (`registry.py` lists them). Each gives a `family.Conversion`: three stateless modules on the meta
device, a name for every weight of theirs in the checkpoint, a tokenizer, and what the manifest has to say. The rest is
shared: `checkpoint` and `hub` read, `weights` attaches, `graphs` exports, `goldens` proves, `folder` writes.
"""
