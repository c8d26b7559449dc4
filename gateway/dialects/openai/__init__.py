"""What the dialects of OpenAI share: chat completions and responses."""
