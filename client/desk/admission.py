"""The calls about admission rules."""

from collections import Counter, deque
from collections.abc import Iterable, Mapping

from client.defence.admission import Place, Rule, Subject
from client.defence.rule_words import rule_words
from client.defence.rules import default_rules
from client.defence.trial import Change, Trial
from client.desk.api import Admission
from client.desk.rule_views import ChangeView, CountView, MoveView, RulesView, RuleView, TrialView
from client.desk.showing import moment
from client.desk.works import Works

ROWS_AT_ONCE = 1000  # messages of a trial between other steps
CHANGES_SHOWN = 500


class DeskAdmission(Admission):
    """client.desk.api.Admission over a session."""

    def __init__(self, works: Works) -> None:
        self._works = works
        self._admitting = works.steps.admitting

    async def rules(self) -> RulesView:
        return await self._works.run(self._rules)

    async def test(self, toml: str) -> TrialView:
        trial = await self._works.run(self._trial, toml)
        chats, changed_chats = await self._works.run(trial.chats)
        messages, row = 0, 0
        moves = Counter(map(_move, changed_chats))
        newest: deque[Change] = deque(maxlen=CHANGES_SHOWN)
        while True:
            found, changed = await self._works.run(trial.messages, row, ROWS_AT_ONCE)
            if not found:
                break
            messages, row = messages + len(found), found[-1].row
            moves.update(map(_move, changed))
            newest += changed
        names = await self._works.run(self._works.steps.groups.contacts.names)
        return TrialView(
            chats=chats,
            messages=messages,
            moves=[
                MoveView(subject=subject.value, before=before.value, after=after.value, rule=rule, count=count)
                for (subject, before, after, rule), count in moves.most_common()
            ],
            changes=[_change(each, names) for each in _newest_first([*changed_chats[-CHANGES_SHOWN:], *newest])],
        )

    async def use(self, toml: str) -> RulesView:
        await self._works.run(self._admitting.use, toml, self._works.now())
        return await self.rules()

    async def reset(self) -> RulesView:
        await self._works.run(self._admitting.reset)
        return await self.rules()

    async def counts(self) -> list[CountView]:
        return await self._works.run(self._counts)

    def _trial(self, toml: str) -> Trial:
        return Trial(self._works.steps.past, self._admitting.rules, self._admitting.candidate(toml))

    def _rules(self) -> RulesView:
        in_force = self._admitting.in_force
        counted = {each.rule: each for each in self._counts()}
        defaults = frozenset(default_rules())
        return RulesView(
            rules=[_rule(rule, counted.get(rule.name), own=rule not in defaults) for rule in in_force.rules],
            toml=in_force.toml,
            saved=None if in_force.saved_at is None else moment(in_force.saved_at),
            trouble=in_force.trouble,
        )

    def _counts(self) -> list[CountView]:
        return [
            CountView(rule=each.rule, place=each.place.value, count=each.count, last=moment(each.last))
            for each in self._admitting.counts()
        ]


def _newest_first(changes: Iterable[Change]) -> list[Change]:
    return sorted(changes, key=lambda change: change.at, reverse=True)


def _rule(rule: Rule, counted: CountView | None, *, own: bool) -> RuleView:
    return RuleView(
        name=rule.name,
        words=rule_words(rule),
        place=rule.place.value,
        count=0 if counted is None else counted.count,
        last=None if counted is None else counted.last,
        own=own,
    )


def _move(change: Change) -> tuple[Subject, Place, Place, str]:
    return change.subject, change.before.place, change.after.place, change.after.rule


def _change(change: Change, names: Mapping[str, str]) -> ChangeView:
    return ChangeView(
        subject=change.subject.value,
        group=change.group_id.hex(),
        row=change.row,
        number=change.number.e164,
        name=names.get(change.number.e164),
        at=moment(change.at),
        before=change.before.place.value,
        before_rule=change.before.rule,
        after=change.after.place.value,
        rule=change.after.rule,
    )
