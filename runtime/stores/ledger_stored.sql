insert into ledger (asset, minute, fate, reason, count)
values (:asset, :minute, 'stored', '', :count)
on conflict (asset, minute, fate, reason) do update set count = count + excluded.count
