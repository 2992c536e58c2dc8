"""Evaluation of a model folder through ONNX Runtime, on simulated clips and on received real footage."""
