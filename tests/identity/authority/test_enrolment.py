"""What a number's certificates are, and where they are published."""

import msgspec

from identity.authority.wire import Status


async def test_two_devices_of_one_number_get_two_certificates(authority, make_device):
    first, second = await authority.enrol(make_device()), await authority.enrol(make_device())

    assert first.chain[0] != second.chain[0]
    assert first.chain[1] == second.chain[1]


async def test_no_certificate_is_published_under_another_name(authority, device, word):
    issued = await authority.enrol(device)
    name = issued.x5u.rpartition("/")[2]

    for path in (f"/certificates/{name.upper()}", "/certificates/00.pem", "/certificates/" + "0" * 64 + ".pem"):
        assert word(await authority.http.get(path)) == "not-found"


async def test_status_names_the_numbers_that_are_certified(open_at):
    authority = await open_at(allow=("+1202555", "447700900"))

    status = msgspec.json.decode((await authority.http.get("/v1/status")).content, type=Status)

    assert status.numbers == ["+1202555", "+447700900"]
    assert status.now == authority.clock.now
    assert status.name
