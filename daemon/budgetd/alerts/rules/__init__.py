"""The rules: what each says when it finds something, and when it finds it. Pure, one file a family."""
