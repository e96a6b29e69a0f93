"""The command prices: what a model costs, who says so, and who says otherwise."""

import itertools
import time
from collections.abc import Iterator
from datetime import datetime

import click

from budgetd.cli.table import Day, plain, table
from budgetd.config import PLACED, load_config
from budgetd.pricing.book import Book, Sources
from budgetd.pricing.explain import Opinion, opinion, rows, stated
from budgetd.pricing.overrides import Override, read_overrides
from budgetd.pricing.rate_names import dollars
from budgetd.pricing.rates import Price, utc_day
from budgetd.pricing.search import called, fits, is_glob, nearest
from budgetd.pricing.sync.shelf import SOURCES, Shelf, age_days
from budgetd.toml_file import TomlFile
from budgetwire.places import Places, find_places

MOST_LISTED = 40
"""So many models are listed at once."""

_DAY = 86_400


@click.command(
    epilog="""
\b
Examples:
  budgetd prices claude-opus-4-8             each class of its price, and the second opinion
  budgetd prices gpt-5 --provider azure      what another provider asks for it
  budgetd prices 'gpt-5*'                    all that are called so
  budgetd prices gpt-4o --at 2024-09-01      what it cost then
"""
)
@click.argument("model")
@click.option(
    "--provider", default="", metavar="NAME", help="Whose price; else the first that has the model."
)
@click.option("--at", type=Day(), help="On another day, in UTC.")
def prices(model: str, provider: str, at: str | None) -> None:
    """Explain the price of MODEL, and where it comes from."""
    desk = Desk(find_places(), _midnight(at) if at else time.time())
    whose = [provider] if provider else desk.providers()
    first, slash, rest = model.partition("/")
    if slash and not provider and desk.opinions(first, rest):
        whose, model = [first], rest
    knowing = [] if is_glob(model) else [name for name in whose if desk.opinions(name, model)]
    if knowing:
        click.echo(desk.page(knowing[0], model))
        if knowing[1:]:
            click.echo(f"Also sold by {', '.join(knowing[1:5])} (--provider NAME).")
    elif found := desk.matching(whose, model):
        click.echo(desk.listing(found))
    else:
        click.echo(desk.unknown(whose, model), err=True)
        raise click.exceptions.Exit(1)


def _midnight(day: str) -> float:
    return datetime.fromisoformat(f"{day}T00:00Z").timestamp()


class Desk:
    """All that is needed to answer for prices at one moment."""

    def __init__(self, places: Places, at: float) -> None:
        """Read the configuration and the prices. Raises ConfigError or PricesError."""
        self._at = at
        self._config = load_config(places.config)
        self._file = TomlFile(places.config)
        self._overrides = read_overrides(self._file, self._config.pricing.overrides)
        self._shelf = Shelf(places.prices)
        self._tables = [self._shelf.primary(), *filter(None, [self._shelf.table("litellm")])]
        self._sheets = [table.sheet() for table in self._tables]

    def providers(self) -> list[str]:
        """Those that a request can go to, then all others that sell something."""
        ours = [*(upstream.provider for upstream in self._config.upstreams.values()), *PLACED]
        ids = {found.id for name in ours for sheet in self._sheets if (found := called(sheet, name))}
        others = [each.id for sheet in self._sheets for each in sheet.providers if each.id not in ids]
        return list(dict.fromkeys((*ours, *others)))

    def opinions(self, provider: str, model: str) -> list[Opinion]:
        """What each layer says, the one that counts first."""
        asked = (opinion(table, provider, model, self._at) for table in self._tables)
        found = [each for each in asked if each]
        override = self._override(provider, model, found)
        said = stated(override, found[0] if found else None) if override else None
        return [said, *found] if said else found

    def page(self, provider: str, model: str) -> str:
        """A model's whole price."""
        opinions = self.opinions(provider, model)
        heads = [opinion.name.partition(" ")[0] for opinion in opinions]
        compared = list(rows(opinions))
        differs = any(row.disputed for row in compared)
        lines = [(row.label, *row.values, "≠" if row.disputed else "") for row in compared]
        return "\n".join(
            (
                plain(f"{provider}/{model}, {utc_day(self._at)}"),
                table(("$ PER MILLION TOKENS", *(f">{head}" for head in heads), ""), lines),
                *self._footing(provider, model, opinions, differs=differs),
            )
        )

    def matching(self, whose: list[str], wanted: str) -> list[tuple[str, str]]:
        """Provider and name of every model that is meant by a glob or a part of a name."""
        found = ((name, id) for name in whose for id in self._ids(name))
        return [(name, id) for name, id in found if fits(wanted, id, f"{name}/{id}")]

    def listing(self, found: list[tuple[str, str]]) -> str:
        """Many models, each in a line."""
        lines = [self._line(name, id) for name, id in found[:MOST_LISTED]]
        listed = table((">INPUT", ">OUTPUT", "FROM", "$ PER MILLION TOKENS"), lines)
        more = len(found) - MOST_LISTED
        return listed if more <= 0 else f"{listed}\nand {more:,} more; ask for less."

    def unknown(self, whose: list[str], model: str) -> str:
        """That nobody knows a model, what is called like it, and what it would count as."""
        at = f" at {whose[0]}" if len(whose) == 1 else ""
        near = nearest({id for name in whose for id in self._ids(name)}, model)
        lines = [f"No price is known of {model!r}{at}."]
        if near:
            lines.append(f"Called almost like it: {', '.join(near)}.")
        lines.append(self._counts_as(whose[0] if len(whose) == 1 else "", model))
        return "\n".join(plain(line) for line in lines)

    def _counts_as(self, provider: str, model: str) -> str:
        """What a request for a model that the provider's list does not have counts at."""
        policy = self._config.pricing.unknown_model
        book = Book(lambda: Sources(*self._tables))
        if known := book.price(provider, model, self._at):
            return f"A request for it counts at its maker's price: {_in_and_out(known)}."
        if policy == "refuse":
            return "A request for it is refused (`pricing.unknown_model` in config.toml)."
        if policy == "nearest" and (near := book.nearest(provider, model, self._at)):
            return f"A request for it counts as {near.model}, the nearest that is known: {_in_and_out(near)}."
        if provider:
            return f"A request for it counts at the ceiling: {_in_and_out(book.ceiling(provider, self._at))}."
        return "A request for it counts at its provider's dearest price (--provider NAME shows it)."

    def _override(self, provider: str, model: str, found: list[Opinion]) -> Override | None:
        return self._overrides.find(provider, (model, found[0].standard.model if found else ""))

    def _ids(self, name: str) -> list[str]:
        providers = filter(None, (called(sheet, name) for sheet in self._sheets))
        return list(dict.fromkeys(model.id for provider in providers for model in provider.models))

    def _line(self, provider: str, id: str) -> tuple[str, ...]:
        opinions = self.opinions(provider, id)
        if not opinions:
            return ("", "", "no price", f"{provider}/{id}")
        rates = opinions[0].standard.rates
        return (
            dollars(rates.fresh_input, "fresh_input"),
            dollars(rates.output, "output"),
            opinions[0].name.partition(" ")[0],
            f"{provider}/{id}",
        )

    def _footing(self, provider: str, model: str, opinions: list[Opinion], *, differs: bool) -> Iterator[str]:
        """Where each column comes from, and which one counts when."""
        override = self._override(provider, model, opinions)
        sources = opinions[1:] if override else opinions
        if override:
            yield f"Billed as you say in {self._where(override)}."
        for place, each in enumerate(sources):
            role = "Second opinion" if place else "The rest from" if override else "Billed by"
            yield f"{role}: {each.name} ({self._origin(each)})."
        if differs and not override:
            yield "They differ where ≠ stands; a strict limit goes by the dearer."
        if hours := self._hours(provider, model):
            yield f"The price by the first changes every day at {' and '.join(hours)} UTC."

    def _hours(self, provider: str, model: str) -> list[str]:
        """Times of the day from which another price holds than before."""
        table, midnight = self._tables[0], self._at // _DAY * _DAY
        found = [(slot, table.find(provider, model, midnight + slot)) for slot in table.slots]
        return [
            f"{slot // 3600:02}:{slot // 60 % 60:02}"
            for (_, before), (slot, price) in itertools.pairwise((found[-1], *found))
            if price and before and price.rates != before.rates
        ]

    def _where(self, override: Override) -> str:
        written = next(key for key in self._config.pricing.overrides if key.lower() == override.pattern)
        return f"{self._file.path}, line {self._file.line_of(['pricing', 'overrides', written])}"

    def _origin(self, opinion: Opinion) -> str:
        for source in SOURCES:
            table, origin = self._shelf.table(source), self._shelf.origin(source)
            if table and origin and table.name == opinion.name:
                return f"{origin.host.partition('://')[2]}, {_ago(age_days(table.as_of, time.time()))}"
        return "as shipped"


def _ago(days: int) -> str:
    return "today" if days == 0 else "yesterday" if days == 1 else f"{days:,} days ago"


def _in_and_out(price: Price) -> str:
    rates = price.rates
    return f"{dollars(rates.fresh_input, 'output')} in and {dollars(rates.output, 'output')} out per million"
