# A standby of the name given: a copy of the primary the first time, then the image's own start.
set -eu
export PGDATA=/var/lib/postgresql/data
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  chown postgres "$PGDATA" && chmod 0700 "$PGDATA"
  gosu postgres pg_basebackup -d "host=primary user=ringtrue application_name=$1" -D "$PGDATA" -R -X stream -c fast
fi
exec docker-entrypoint.sh postgres
