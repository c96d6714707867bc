"""What survives the loss of the database: the journal, backups, and a restore that mails nobody twice."""
