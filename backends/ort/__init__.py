"""onnxruntime: lowering to standard operators, ONNX emission, sessions."""
