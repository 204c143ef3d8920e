"""What the store knows of transfers: uploads that are not offered yet, and downloads that are not whole."""

from dataclasses import dataclass, field

from client.storage.store import Row, Store
from client.transfers.attachments import TAG_SIZE, Sealed


@dataclass(frozen=True, slots=True)
class Upload:
    """A sealed file for a chat; `spool`: its file there, `place`: its upload's name at the service, if it has one."""

    id: int
    group_id: bytes
    caption: str
    sealed: Sealed = field(repr=False)
    spool: str
    place: str
    began: int

    @property
    def blob(self) -> str:
        """The name that its ciphertext has at the service."""
        return self.sealed.content_hash.hex()

    @property
    def size(self) -> int:
        """Octets of ciphertext."""
        return self.sealed.size + TAG_SIZE


_UPLOAD = (
    "SELECT id, group_id, caption, filename, content_type, size, key, nonce, digest, spool, place, began FROM upload"
)


class TransferRows:
    """The rows; the files are the spool's."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def add(self, group_id: bytes, caption: str, sealed: Sealed, spool: str, now: int) -> Upload:
        """Note a file that is sealed and to be sent."""
        row = self._store.insert(
            "INSERT INTO upload (group_id, caption, filename, content_type, size, key, nonce, digest, spool, began) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            group_id,
            caption,
            sealed.filename,
            sealed.content_type,
            sealed.size,
            sealed.key,
            sealed.nonce,
            sealed.content_hash,
            spool,
            now,
        )
        return Upload(row, group_id, caption, sealed, spool, "", now)

    def placed(self, upload: int, place: str) -> None:
        """Note the upload's name at the service."""
        self._store.execute("UPDATE upload SET place = ? WHERE id = ?", place, upload)

    def uploads(self) -> list[Upload]:
        """What is not offered yet, oldest first."""
        return [_upload(row) for row in self._store.rows(f"{_UPLOAD} ORDER BY id")]

    def count(self) -> int:
        """How many that are."""
        row = self._store.row("SELECT count(*) FROM upload")
        return 0 if row is None else int(row[0])

    def upload(self, upload: int) -> Upload | None:
        """One of them."""
        row = self._store.row(f"{_UPLOAD} WHERE id = ?", upload)
        return None if row is None else _upload(row)

    def drop(self, upload: int) -> None:
        """Forget an upload."""
        self._store.execute("DELETE FROM upload WHERE id = ?", upload)

    def due(self) -> list[bytes]:
        """The blobs that the service is to delete."""
        return [row[0] for row in self._store.rows("SELECT digest FROM blob_due ORDER BY digest")]

    def deleted(self, digest: bytes) -> None:
        """Forget a blob that the service has no more."""
        self._store.execute("DELETE FROM blob_due WHERE digest = ?", digest)

    def arriving(self, digest: bytes, spool: str, now: int) -> str:
        """Note where a download collects; returns where it does already, if it has begun."""
        self._store.execute(
            "INSERT INTO download VALUES (?, ?, ?) ON CONFLICT (digest) DO UPDATE SET began = excluded.began",
            digest,
            spool,
            now,
        )
        row = self._store.row("SELECT spool FROM download WHERE digest = ?", digest)
        assert row is not None, "it was inserted, or was there"
        return str(row[0])

    def arrived(self, digest: bytes) -> None:
        """Forget a download."""
        self._store.execute("DELETE FROM download WHERE digest = ?", digest)

    def known_files(self, began: int) -> set[str]:
        """Files in the spool that are needed; downloads from before `began` are given up."""
        self._store.execute("DELETE FROM download WHERE began < ?", began)
        return {row[0] for row in self._store.rows("SELECT spool FROM download UNION SELECT spool FROM upload")}


def _upload(row: Row) -> Upload:
    number, group_id, caption, filename, content_type, size, key, nonce, digest, spool, place, began = row
    sealed = Sealed(filename, content_type, size, key, nonce, digest)
    return Upload(number, group_id, caption, sealed, spool, place, began)
