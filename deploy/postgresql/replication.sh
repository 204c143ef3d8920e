# Run once by the image, when it makes the primary's folder: standbys may follow.
echo "host replication ringtrue all scram-sha-256" >> "$PGDATA/pg_hba.conf"
