"""In a group with roles, a change that only admins may make never becomes the winner of an epoch without one."""

from collections.abc import Callable, Sequence

from mls_rs import Credential, Engine, Group

from delivery_service.credentials import Credentials
from delivery_service.wire import MLS_TYPE
from identity.groups.roles import ROLES_EXTENSION, with_admins
from identity.number import TelephoneNumber

ALICE, BOB, CAROL, DAVE = (f"+1202555014{n}" for n in range(2, 6))


def listing(*admins: str) -> list[tuple[int, bytes]]:
    return with_admins([], map(TelephoneNumber.parse, admins))


class Party:
    """Devices in one group with roles; the first founded it, and all are in its current epoch."""

    def __init__(self, world, group: Group) -> None:
        self.world = world
        self.group_id = group.group_id
        self.views: dict[str, tuple] = {}

    @classmethod
    async def of(cls, world, *numbers: str, admins: Sequence[str] = (ALICE,)) -> "Party":
        founder = await device(world, numbers[0])
        group = founder.engine.create(b"group", founder.now, context_extensions=listing(numbers[0]))
        assert (await founder.post("/v1/groups", group.group_info(), MLS_TYPE)).status_code == 201
        party = cls(world, group)
        party.views[numbers[0]] = founder, group
        for number in numbers[1:]:
            await party.add(number)
        if set(admins) != {numbers[0]}:
            await party.commit(numbers[0], context_extensions=listing(*admins))
        return party

    async def add(self, number: str, name: str | None = None) -> None:
        newcomer, (founder, _) = await device(self.world, number), next(iter(self.views.values()))
        look = founder.engine.check_key_package
        claimed = await founder.claim(number)
        packages = [each for each in claimed if look(each, founder.now).identity == newcomer.identity]
        await self.commit(founder.number, add=packages)
        self.views[name or number] = newcomer, (await newcomer.join())[0]

    async def commit(self, number: str, **changes: object) -> None:
        author, group = self.views[number]
        pending = group.commit(author.now, **changes)
        answer = await author.commit(group, pending)
        assert answer.status_code == 201, answer.text
        group.apply(pending.secrets)
        for name, (other, view) in self.views.items():
            if name != number:
                view.process(pending.commit, other.now)

    async def propose(self, number: str, proposal: bytes) -> None:
        author, _ = self.views[number]
        assert (await author.append(self.group_id, proposal)).status_code == 201
        for name, (other, view) in self.views.items():
            if name != number:
                view.process(proposal, other.now)

    async def refused(self, problem_word: Callable, number: str, words: str, **changes: object) -> None:
        author, group = self.views[number]
        self.check(problem_word, await author.commit(group, group.commit(author.now, **changes)), words)
        await self.goes_on()

    async def proposal_refused(self, problem_word: Callable, number: str, proposal: bytes, words: str) -> None:
        author, group = self.views[number]
        self.check(problem_word, await author.append(self.group_id, proposal), words)
        group.forget_proposals()
        await self.goes_on()

    def check(self, problem_word: Callable, answer, words: str) -> None:
        assert (answer.status_code, problem_word(answer)) == (403, "not-allowed")
        assert words in answer.json()["detail"]

    async def goes_on(self) -> None:
        """Nothing was appended, and the next commit of the same epoch is accepted and fits everybody."""
        for number in list(self.views):
            await self.commit(number, path=True)
        assert len({view.epoch_authenticator() for _, view in self.views.values()}) == 1

    def leaf(self, name: str) -> int:
        return self.views[name][1].own_index


async def device(world, number: str):
    """A device whose leaf says that it knows roles, with key packages."""
    made = await world.device(number)
    scalar = bytearray(made.key.private_numbers().private_value.to_bytes(32, "big"))
    judge, chain = Credentials(world.roots.anchors), Credential.x509(made.chain)
    made.engine = Engine(2, chain, scalar, judge.validate, judge.succeed, extension_types=[ROLES_EXTENSION])
    assert (await made.publish(2)).status_code == 200
    return made


async def test_a_group_is_founded_with_its_founder_as_admin_or_not_at_all(world, problem_word):
    alice = await device(world, ALICE)
    for content in (listing(BOB), [(ROLES_EXTENSION, b"garbage")]):
        info = alice.engine.create(b"group", alice.now, context_extensions=content).group_info()
        assert problem_word(await alice.post("/v1/groups", info, MLS_TYPE)) == "not-allowed"
    info = alice.engine.create(b"group", alice.now, context_extensions=listing(ALICE, BOB)).group_info()
    assert (await alice.post("/v1/groups", info, MLS_TYPE)).status_code == 201


async def test_a_member_without_a_role_changes_neither_members_nor_roles(world, problem_word):
    party = await Party.of(world, ALICE, BOB, CAROL)
    await device(world, DAVE)
    bob, _ = party.views[BOB]
    words = "is no admin of this chat"
    await party.refused(problem_word, BOB, words, add=await bob.claim(DAVE))
    await party.refused(problem_word, BOB, words, remove=[party.leaf(CAROL)])
    await party.refused(problem_word, BOB, words, context_extensions=listing(ALICE, BOB))
    await party.commit(ALICE, context_extensions=listing(ALICE, BOB))
    await party.commit(BOB, remove=[party.leaf(CAROL)])


async def test_only_what_is_about_oneself_stands_as_a_proposal(world, problem_word):
    party = await Party.of(world, ALICE, BOB, CAROL)
    dave = await device(world, DAVE)
    for number in (ALICE, BOB):
        author, group = party.views[number]
        for propose, what in (
            (group.propose_add, (dave.key_packages(1)[0], author.now)),
            (group.propose_remove, (party.leaf(CAROL),)),
            (group.propose_context_extensions, (listing(ALICE, BOB),)),
        ):
            await party.proposal_refused(problem_word, number, propose(*what), "only an admin's own commit does")
    bob, group = party.views[BOB]
    await party.propose(BOB, group.propose_update(bob.now))
    await party.commit(CAROL)


async def test_members_commit_that_others_leave_and_remove_their_own_devices(world, problem_word):
    party = await Party.of(world, ALICE, BOB, CAROL)
    await party.add(BOB, "bob's other device")
    await party.refused(problem_word, CAROL, "is no admin", remove=[party.leaf("bob's other device")])
    gone = party.leaf("bob's other device")
    del party.views["bob's other device"]
    await party.commit(BOB, remove=[gone])
    _, group = party.views[CAROL]
    await party.propose(CAROL, group.leave())
    del party.views[CAROL]
    await party.commit(BOB)
    assert len(party.views[ALICE][1].members()) == 2


async def test_roles_neither_begin_later_nor_end(world, problem_word):
    party = await Party.of(world, ALICE, BOB)
    await party.refused(problem_word, ALICE, "from its beginning or never", context_extensions=[])
    alice = party.views[ALICE][0]
    plain = alice.engine.create(b"plain", alice.now)
    assert (await alice.post("/v1/groups", plain.group_info(), MLS_TYPE)).status_code == 201
    answer = await alice.commit(plain, plain.commit(alice.now, context_extensions=listing(ALICE)))
    party.check(problem_word, answer, "from its beginning or never")


async def test_admins_are_members_and_one_is_left(world, problem_word):
    party = await Party.of(world, ALICE, BOB, CAROL, admins=[ALICE, BOB])
    await device(world, DAVE)
    alice, group = party.views[ALICE]
    claimed = await alice.claim(DAVE)
    await party.refused(problem_word, ALICE, "is no member yet", context_extensions=listing(ALICE, DAVE))
    await party.refused(problem_word, ALICE, "is no member yet", add=claimed, context_extensions=listing(ALICE, DAVE))
    await party.refused(problem_word, ALICE, "is no admin of this chat", add=claimed, context_extensions=listing(BOB))
    leaving = {"remove": [party.leaf(BOB)], "context_extensions": listing(BOB)}
    await party.refused(problem_word, ALICE, "without an admin", **leaving)
    await party.refused(problem_word, ALICE, "not in the one form", context_extensions=[(ROLES_EXTENSION, b"\xa0")])
    await party.propose(BOB, party.views[BOB][1].leave())
    answer = await alice.append(party.group_id, group.leave())
    party.check(problem_word, answer, "without an admin")
    del party.views[BOB]
    await party.commit(CAROL)
    await party.goes_on()


async def test_roles_are_judged_alike_by_an_observer_that_was_stored(world, problem_word):
    party = await Party.of(world, ALICE, BOB, CAROL, admins=[ALICE, BOB])
    await party.propose(BOB, party.views[BOB][1].leave())
    observers = world.app.state.service.observers
    observers._limit = 1
    alice = party.views[ALICE][0]
    await alice.create()  # takes the place of the group's observer in the memory
    answer = await alice.append(party.group_id, party.views[ALICE][1].leave())
    party.check(problem_word, answer, "without an admin")
