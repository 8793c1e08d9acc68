-- What left the quarantine: stored, or lost for a reason.
insert into ledger (asset, minute, fate, reason, count)
values (:asset, :minute, :fate, :reason, :count)
on conflict (asset, minute, fate, reason) do update set count = count + excluded.count
