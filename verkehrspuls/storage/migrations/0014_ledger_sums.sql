-- Running sums of the ledger, kept by the statements that add to it: what metrics tell
-- costs the same however old the ledger is, and never goes down. Each worker slot has
-- rows of its own, as in the ledger.

create table vp.ledger_sum (
    slot smallint not null,
    municipality_id integer references vp.municipality,
    messages_received bigint not null,
    messages_accepted bigint not null,
    messages_partly_accepted bigint not null,
    messages_rejected bigint not null,
    messages_unknown_sensor bigint not null,
    readings_received bigint not null,
    readings_stored bigint not null,
    readings_duplicate bigint not null,
    readings_corrected bigint not null,
    readings_rejected bigint not null,
    readings_late bigint not null,
    sequence_lost bigint not null,
    unique nulls not distinct (slot, municipality_id)
) with (fillfactor = 50);
comment on column vp.ledger_sum.municipality_id is
    'NULL for messages of no known sensor.';

insert into vp.ledger_sum
select l.slot, e.municipality_id, sum(l.messages_received), sum(l.messages_accepted),
       sum(l.messages_partly_accepted), sum(l.messages_rejected),
       sum(l.messages_unknown_sensor), sum(l.readings_received),
       sum(l.readings_stored), sum(l.readings_duplicate), sum(l.readings_corrected),
       sum(l.readings_rejected), sum(l.readings_late), sum(l.sequence_lost)
from vp.ledger l
left join vp.sensor e using (sensor_id)
group by l.slot, e.municipality_id;

create table vp.ledger_reject_sum (
    slot smallint not null,
    reason text not null,
    messages bigint not null,
    kept bigint not null,
    primary key (slot, reason)
) with (fillfactor = 50);

insert into vp.ledger_reject_sum
select slot, reason, sum(messages), sum(kept)
from vp.ledger_reject
group by slot, reason;
