-- Ticks leave the quarantine: of a minute, or of its day where that has been folded. Changes nothing where they are not.
update ledger set count = count - :count
where asset = :asset and minute = :minute and fate = 'quarantined' and count >= :count
