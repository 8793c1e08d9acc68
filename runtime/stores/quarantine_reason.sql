update quarantine set reason = :reason where id = :id
