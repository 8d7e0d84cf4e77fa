-- Pages say which hours are ambiguous: a reading that becomes so, or certain, makes them
-- anew. For each row, because each batch of ingest looks for some, and seldom finds any.

create trigger note_change after insert or update or delete on vp.ambiguous_reading
    for each row execute function vp.note_change();
create trigger note_truncate after truncate on vp.ambiguous_reading
    for each statement execute function vp.note_change();
