"""A seed settles the story."""

from random import Random

from lab.attacks.catalogue import ATTACKS
from lab.demo import LINES, order, talk

SPEAKERS = ["Alice", "Bob", "Carol"]


def test_without_a_seed_the_story_is_told_as_written() -> None:
    assert list(order(ATTACKS, None)) == list(ATTACKS)
    assert list(talk(SPEAKERS, LINES[:2], None)) == [("Alice", LINES[0]), ("Bob", LINES[1])]


def test_same_seed_same_story() -> None:
    assert [list(order(ATTACKS, Random(7))) for _ in range(2)] == [list(order(ATTACKS, Random(7)))] * 2
    assert list(talk(SPEAKERS, LINES, Random(7))) == list(talk(SPEAKERS, LINES, Random(7)))
    assert list(order(ATTACKS, Random(7))) != list(order(ATTACKS, Random(8)))


def test_every_order_has_all_attacks_and_ends_with_the_removal() -> None:
    shuffled = order(ATTACKS, Random(7))
    assert sorted(attack.name for attack in shuffled) == sorted(attack.name for attack in ATTACKS)
    assert shuffled[-1] is ATTACKS[-1]
