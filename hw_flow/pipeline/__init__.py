"""Chains of verbs: verify one model, or run everything from one YAML."""
