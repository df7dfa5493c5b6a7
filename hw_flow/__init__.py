"""bitwright's hardware flow: QONNX to verified, measured streaming accelerators."""
