"""quant_training package."""
