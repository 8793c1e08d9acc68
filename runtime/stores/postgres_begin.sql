-- `set local`: a pooler may hand each transaction to another session, so that nothing may outlive it.
begin;
set local statement_timeout = %(ms)d;
set local lock_timeout = %(ms)d;
set local idle_in_transaction_session_timeout = %(ms)d;
set local client_min_messages = warning;
