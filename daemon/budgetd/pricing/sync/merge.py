"""A new edition of prices with some models left as they were. Pure."""

from collections.abc import Collection, Iterable

import msgspec

from budgetd.pricing.sync.diff import Change
from budgetd.pricing.table import Model, Provider, Sheet


def merge(old: Sheet, new: Sheet, held: Collection[Change]) -> Sheet:
    """The new edition, in which what ``held`` is about stays as it is in the old one."""
    kept: dict[str, set[str]] = {}
    for change in held:
        kept.setdefault(change.provider, set()).update(filter(None, (change.model, change.successor)))
    before = {provider.id: provider for provider in old.providers}
    nobody = Provider(id="")
    providers = [
        _provider(before.get(provider.id, nobody), provider, kept.get(provider.id, ()))
        for provider in new.providers
    ]
    present = {provider.id for provider in new.providers}
    providers += [
        provider for provider in old.providers if provider.id in kept and provider.id not in present
    ]
    return msgspec.structs.replace(new, providers=tuple(providers))


def _provider(old: Provider, new: Provider, kept: Collection[str]) -> Provider:
    """Models in the new order; one that is gone from it goes after the one it came after, for the first that
    fits a name counts.
    """
    if not kept:
        return new
    before = {model.id: model for model in reversed(old.models)}
    models: list[Model] = []
    for model in new.models:
        if model.id not in kept:
            models.append(model)
        elif model.id in before:
            models.append(before[model.id])
    for index, model in enumerate(old.models):
        if model.id in kept and not any(other.id == model.id for other in models):
            models.insert(_place(models, old.models[:index]), model)
    return msgspec.structs.replace(new, models=tuple(models))


def _place(models: list[Model], earlier: Iterable[Model]) -> int:
    """Behind the last of the earlier ones that is there."""
    ids = {model.id for model in earlier}
    return max((place + 1 for place, model in enumerate(models) if model.id in ids), default=0)
