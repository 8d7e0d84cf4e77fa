-- What stands in the places {} of a rejected message's detail, which then is a text to be
-- translated. NULL: the detail has no places, as all of before.
alter table vp.rejected_message
    add column detail_values jsonb,
    add column last_detail_values jsonb;
