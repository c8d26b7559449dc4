"""The vocabulary of the models: closed lists, since policies, logs and analytics name these labels."""

INTENTS = (
    "coding",
    "math",
    "data_analysis",
    "writing",
    "rewriting",
    "translation",
    "summarization",
    "extraction",
    "classification",
    "open_qa",
    "closed_qa",
    "brainstorming",
    "roleplay",
    "chitchat",
)
OTHER = "other"

BENIGN = "benign"
HARMFUL = "harmful"
KINDS = (HARMFUL, "jailbreak", "injection")

CATEGORIES = (
    "child_safety",
    "cybercrime",
    "fraud",
    "hate_harassment",
    "illegal",
    "misinformation",
    "other_harm",
    "privacy",
    "self_harm",
    "sexual",
    "violence",
    "weapons",
)
"""What a harmful text is about."""

CATEGORY_OF = {"illegal_other": "illegal", "illegal_goods": "illegal", "dangerous_advice": "other_harm"}
"""Finer categories of the data, too small to learn one by one."""
