"""Who is who, and how the stage is set."""

from identity.number import TelephoneNumber
from lab.mallory import Mallory
from lab.stage import Person, Stage
from lab.world import World

FRIENDS = {"Alice": "+12025550101", "Bob": "+12025550102", "Carol": "+12025550103"}
MALLORY = "+12025550199"
GROUP_NAME, OTHER_GROUP_NAME = "Climbing", "Street party"
KEY_PACKAGES = 4
