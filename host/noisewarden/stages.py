"""The stages of a box by name (DESIGN 4.3), in the order of their numbers."""

STAGES = ("within", "reminder", "spotlight", "referral")
