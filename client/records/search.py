"""Finding text in the inbox, by any part of a word and in any script; the index lies in the encrypted store."""

from client.storage.store import Store

INDEXED_FROM = 3  # characters: the index is of trigrams; what is shorter is looked for in the rows themselves


class Search:
    """The index over the texts of the inbox."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def index(self, row: int, text: str) -> None:
        """Make a row's text findable, in the place of what it said before."""
        self.forget(row)
        self.add(row, text)

    def add(self, row: int, text: str) -> None:
        """Make a new row's text findable."""
        if text:
            self._store.execute("INSERT INTO found (rowid, text) VALUES (?, ?)", row, text)

    def forget(self, row: int) -> None:
        """Make a row unfindable."""
        self._store.execute("DELETE FROM found WHERE rowid = ?", row)

    def find(self, words: str, group_id: bytes | None, limit: int) -> list[int]:
        """The newest rows of the inbox whose text contains every one of the words, newest first."""
        wanted = words.split()
        if not wanted:
            return []
        long = [word for word in wanted if len(word) >= INDEXED_FROM]
        short = [word for word in wanted if len(word) < INDEXED_FROM]
        conditions = ["m.place = 'inbox'", "m.kind IN ('received', 'sent')"]
        values: list[object] = []
        if long:
            conditions.append("m.id IN (SELECT rowid FROM found WHERE found MATCH ?)")
            values.append(" AND ".join(f'"{word.replace(chr(34), chr(34) * 2)}"' for word in long))
        for word in short:
            conditions.append(r"coalesce(m.latest, m.text) LIKE ? ESCAPE '\'")
            values.append(f"%{_literal(word)}%")
        if group_id is not None:
            conditions.append("m.group_id = ?")
            values.append(group_id)
        query = f"SELECT m.id FROM message m WHERE {' AND '.join(conditions)} ORDER BY m.id DESC LIMIT ?"  # noqa: S608 - constants
        return [row[0] for row in self._store.rows(query, *values, limit)]


def _literal(word: str) -> str:
    return word.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")
