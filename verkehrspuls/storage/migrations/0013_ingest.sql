-- Rows that every batch updates: with room in their pages, a new version needs no new
-- entries in the indexes, and old versions make room where they were.
alter table vp.ledger set (fillfactor = 50);
alter table vp.sequence set (fillfactor = 50);
