"""Where the ACME server's things are, below its base URL."""

from dataclasses import dataclass

from identity.authority.acme.records import Account, Order
from identity.authority.acme.wire import Directory


@dataclass(frozen=True, slots=True)
class Addresses:
    """Every address that an answer names."""

    base_url: str

    def of(self, path: str) -> str:
        """The address of a path, as a request must be signed for it."""
        return self.base_url + path

    @property
    def directory(self) -> Directory:
        """Where each kind of request goes."""
        return Directory(
            self.of("/acme/new-nonce"),
            self.of("/acme/new-account"),
            self.of("/acme/new-order"),
            self.of("/acme/revoke-certificate"),
            self.of("/acme/key-change"),
        )

    def account(self, account: Account) -> str:
        """An account's URL: its `kid`."""
        return self.of(f"/acme/account/{account.id}")

    def account_name(self, kid: str) -> str | None:
        """The name in an account's URL."""
        before, slash, name = kid.rpartition("/")
        return name if slash and before == self.of("/acme/account") else None

    def orders(self, account: Account) -> str:
        """An account's list of orders."""
        return f"{self.account(account)}/orders"

    def order(self, name: str) -> str:
        """An order's URL."""
        return self.of(f"/acme/order/{name}")

    def finalize(self, order: Order) -> str:
        """Where the certificate request goes."""
        return f"{self.order(order.id)}/finalize"

    def authorization(self, order: Order) -> str:
        """The URL of an order's authorization."""
        return self.of(f"/acme/authorization/{order.id}")

    def challenge(self, order: Order) -> str:
        """The URL of its challenge."""
        return self.of(f"/acme/challenge/{order.id}")

    def certificate(self, fingerprint: bytes) -> str:
        """The URL of a certificate by the SHA-256 of its DER."""
        return self.of(f"/acme/certificate/{fingerprint.hex()}")
