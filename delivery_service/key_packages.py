"""Key packages: what is accepted from their owner."""

import asyncio

from mls_rs import Credential, Engine, MlsError, generate_signature_key

from delivery_service.credentials import Credentials
from delivery_service.errors import RefusedError
from delivery_service.framing import CIPHER_SUITE
from delivery_service.groups import check_size
from delivery_service.observers import inspect_message, refusal
from delivery_service.sessions import Session
from delivery_service.storage.store import Store
from delivery_service.storage.values import NewKeyPackage, Stock
from delivery_service.tls import lifetime_end
from delivery_service.wire import KEY_PACKAGE_LIMIT, KEY_PACKAGES_PER_DEVICE, KeyPackageUpload


class KeyPackages:
    """Validates uploads with an engine of its own, whose key signs nothing."""

    def __init__(self, store: Store, credentials: Credentials) -> None:
        private, _ = generate_signature_key(CIPHER_SUITE)
        self._engine = Engine(CIPHER_SUITE, Credential.basic(b"delivery service"), private, credentials.validate)
        self._credentials = credentials
        self._store = store

    async def upload(self, session: Session, upload: KeyPackageUpload, now: int) -> Stock:
        """Adds a device's own key packages to its stock."""
        if len(upload.key_packages) > KEY_PACKAGES_PER_DEVICE:
            raise RefusedError(
                "too-large",
                f"at most {KEY_PACKAGES_PER_DEVICE} key packages",
                limit=KEY_PACKAGES_PER_DEVICE,
                limit_name="KEY_PACKAGES_PER_DEVICE",
            )
        one_time, last_resort = await asyncio.to_thread(self._examine_all, session, upload, now)
        return await self._store.add_key_packages(session.device, session.number, one_time, last_resort, now)

    def _examine_all(
        self, session: Session, upload: KeyPackageUpload, now: int
    ) -> tuple[list[NewKeyPackage], NewKeyPackage | None]:
        last_resort = upload.last_resort
        one_time = [self._examine(session, message, now) for message in upload.key_packages]
        return one_time, None if last_resort is None else self._examine(session, last_resort, now)

    def _examine(self, session: Session, message: bytes, now: int) -> NewKeyPackage:
        check_size(message, KEY_PACKAGE_LIMIT, "KEY_PACKAGE_LIMIT")
        inspected = inspect_message(message)
        if inspected.kind != "key_package":
            raise RefusedError("malformed", "this is not a key package")
        if inspected.cipher_suite != CIPHER_SUITE:
            raise RefusedError("not-allowed", f"the cipher suite must be {CIPHER_SUITE}")
        try:
            member = self._engine.check_key_package(message, now)
        except MlsError as error:
            raise refusal(error) from error
        if member.identity != session.device:
            raise RefusedError("not-allowed", "a device publishes its own key packages only")
        device = self._credentials.device(member.credential.chain, member.signature_key, now)
        (reference,) = inspected.key_package_references
        return NewKeyPackage(reference, min(lifetime_end(message), device.chain.not_after), message)
