"""Export to the contract flamingo-onnx/1: graphs, goldens, manifest, notices."""
