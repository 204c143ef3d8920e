"""All steps of one open account, wired: functions over the store and the engine; none of them waits for a network."""

from dataclasses import dataclass

from client.credentials.account import Account
from client.credentials.group_anchors import GroupAnchors
from client.credentials.log_monitor import LogMonitor
from client.credentials.revocations import KnownRevocations
from client.credentials.siblings import Siblings
from client.credentials.trusting import Trusting
from client.defence.admitting import Admitting
from client.defence.alarms import Alarms
from client.defence.asking import Asking
from client.defence.continuity import Continuity
from client.defence.evictions import Evictions
from client.defence.franking import Franking
from client.defence.lookout import Lookout
from client.defence.past import Past
from client.defence.reporting import Reporting
from client.defence.statuses import Statuses
from client.defence.troubles import Trouble
from client.defence.watch import Watch
from client.records.browsing import Browsing
from client.records.chats import Chats
from client.records.history import History
from client.records.intents import Intent, Intents
from client.records.outbox import Outbox, Outgoing
from client.records.relations import Relations
from client.records.service_facts import ServiceFacts
from client.steps.arriving import Arrivals
from client.steps.committing import Committer
from client.steps.ending import Endings
from client.steps.groups import Groups
from client.steps.handshakes import Handshakes
from client.steps.joining import Joiner
from client.steps.receiving import Receiver
from client.steps.rollback import Rollbacks
from client.steps.sending import Sender
from client.storage.store import Store
from identity.binding import DeviceVerifier


@dataclass(frozen=True, slots=True)
class Steps:
    """What runs on the worker thread."""

    store: Store
    groups: Groups
    chats: Chats
    history: History
    relations: Relations
    browsing: Browsing
    outbox: Outbox
    intents: Intents
    sender: Sender
    committer: Committer
    receiver: Receiver
    arrivals: Arrivals
    joiner: Joiner
    admitting: Admitting
    asking: Asking
    past: Past
    franking: Franking
    continuity: Continuity
    alarms: Alarms
    watch: Watch
    log_monitor: LogMonitor
    lookout: Lookout
    statuses: Statuses
    revocations: KnownRevocations
    reporting: Reporting
    trusting: Trusting
    group_anchors: GroupAnchors
    siblings: Siblings
    rollbacks: Rollbacks
    evictions: Evictions
    facts: ServiceFacts
    endings: Endings

    @classmethod
    def of(cls, store: Store, account: Account, verifier: DeviceVerifier) -> "Steps":
        """Wire the steps of an account."""
        groups = Groups(store, account, verifier)
        history, outbox, intents = History(store), Outbox(store), Intents(store)
        relations = Relations(store, history)
        groups.list_members()
        continuity, alarms = Continuity(store, groups), Alarms(store)
        watch = Watch(store, groups, continuity, alarms)
        statuses = Statuses(store, groups)
        group_anchors = GroupAnchors(groups, history)
        admitting = Admitting(store, groups, continuity, statuses)
        franking = Franking(store, account)
        lookout = Lookout(store, groups.chats, history)
        sender = Sender(groups, history, outbox, relations, lookout)
        evictions, facts = Evictions(groups, history, intents, alarms), ServiceFacts(store, account)
        siblings = Siblings(store, groups, intents, continuity)
        rollbacks = Rollbacks(groups, history, outbox, intents, lookout)
        committer = Committer(groups, intents, lookout, evictions, facts)
        endings = Endings(groups, history, lookout, committer)
        arrivals = Arrivals(groups, history, relations, admitting, franking, continuity, lookout)
        handshakes = Handshakes(groups, history, intents, sender, continuity, lookout, siblings, rollbacks, evictions)
        return cls(
            store,
            groups,
            groups.chats,
            history,
            relations,
            Browsing(store, groups.chats, history),
            outbox,
            intents,
            sender,
            committer,
            Receiver(
                groups,
                history,
                relations,
                outbox,
                intents,
                sender,
                watch,
                lookout,
                rollbacks,
                endings,
                arrivals,
                handshakes,
            ),
            arrivals,
            Joiner(
                groups, history, intents, admitting, continuity, lookout, group_anchors, siblings, rollbacks, endings
            ),
            admitting,
            Asking(store, groups, admitting, continuity),
            Past(store, history, groups.chats, admitting),
            franking,
            continuity,
            alarms,
            watch,
            LogMonitor(store, groups, continuity, alarms),
            lookout,
            statuses,
            groups.revocations,
            Reporting(store, groups, history, relations, franking),
            Trusting(store, groups, statuses, group_anchors),
            group_anchors,
            siblings,
            rollbacks,
            evictions,
            facts,
            endings,
        )

    def unsettled(self, group_id: bytes) -> tuple[list[Outgoing], list[Intent], list[Trouble]]:
        """What a log that was read to its end does not hold: own messages and requests, and entries left out."""
        holes = self.lookout.holes(group_id)
        return self.outbox.unconfirmed(group_id), self.committer.unconfirmed(group_id), holes
