"""Clients whose connections are cut, delayed and duplicated: nothing is lost, nothing comes twice, one commit wins.

The sizes are those of a run of all tests; `python -m lab.histories network` and `race` are larger campaigns.
"""

from lab.histories.load import Size
from lab.histories.network import disturb_network
from lab.histories.proxy import Fault
from lab.histories.racing import race_commits

SECONDS = 6
CLIENTS = 64
EPOCHS = 4


async def test_lost_answers_and_duplicates_change_nothing(tmp_path):
    disturbed = await disturb_network(tmp_path, tmp_path / "history.jsonl", SECONDS, size=Size(), seed=1)
    assert disturbed.report.violations == []
    assert set(disturbed.faults) == set(Fault)
    assert min(disturbed.report.unknown, disturbed.report.repeats, disturbed.report.commits) > 0


async def test_of_all_clients_that_race_for_an_epoch_one_wins_and_all_arrive_at_it(tmp_path):
    race = await race_commits(tmp_path, tmp_path / "history.jsonl", clients=CLIENTS, epochs=EPOCHS, seed=1)
    assert race.report.violations == []
    assert sum(race.won) == race.report.commits >= EPOCHS
    assert race.report.stale > EPOCHS
    assert len(race.authenticators) == 1
