-- A message that the broker had kept comes again at each subscription. What was rejected
-- of such is still such a one when it is replayed.
alter table vp.rejected_message
    add column retained boolean not null default false,
    add column first_received_at timestamptz;
comment on column vp.rejected_message.first_received_at is
    'When a recording says that it came; NULL where it came when it was received.';
comment on column vp.rejected_message.retained is
    'The broker had kept it: when it was published is not known.';

-- Times that cannot be right, for which another one of the same message stood in.
create table vp.passed_over (
    sensor_id integer not null references vp.sensor on delete cascade,
    field text not null,
    messages bigint not null,
    -- of the last one: what it said, what was taken in its place, and when it came
    said text not null,
    taken text not null,
    received_at timestamptz not null,
    primary key (sensor_id, field)
);
comment on table vp.passed_over is
    'Times that cannot be right, by sensor and field, and what stood in for them.';
