-- In a spool, with a ledger of a later moment attached: its numbers go on above those that the ledger has posted. One
-- that is used again would be taken for posted already, and not be counted.
update sqlite_sequence
set seq = max(seq, (select coalesce(max(entry), 0) from ledger.posted))
where name = 'spool';
insert into sqlite_sequence (name, seq)
select 'spool', max(entry) from ledger.posted
where not exists (select 1 from sqlite_sequence where name = 'spool')
having max(entry) is not null;
