"""The frozen vision encoder: NanoDet from its TF.js package to one ONNX graph that writes object tokens."""
